//! `/api/v1/*.json`: the queries of gRPC for whoever speaks HTTP. The parameters are the fields of the requests, by their names
//! in the proto files; the answers are their messages as JSON.

mod asked;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequestParts, Path, Query as Parameters, State, rejection::PathRejection},
    http::{HeaderMap, StatusCode, Uri, request::Parts as Head},
    response::{IntoResponse as _, Response},
    routing::{any, get},
};
use nodegrace_proto::{
    json,
    v1::{self, query_server::Query as _},
};
use prost::{Message, Name};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use super::{error::Failed, reply, strips};
use crate::{aggregator::Parts, aside, query::Service};

const JSON: &str = "application/json";

type Answer = Result<Response, Failed>;
type Query = State<Arc<Service>>;

pub(super) fn routes(parts: Arc<Parts>, shutdown: CancellationToken) -> Router {
    let query = Arc::new(Service::new(Arc::clone(&parts), shutdown));
    Router::new()
        .route("/api/v1/fleet.json", get(fleet))
        .route("/api/v1/nodes.json", get(nodes))
        .route("/api/v1/nodes/{name}", get(node))
        .route("/api/v1/course.json", get(course))
        .route("/api/v1/gaps.json", get(gaps))
        .route("/api/v1/flips.json", get(flips))
        .route("/api/v1/explain-endpoint.json", get(explain_endpoint))
        .route("/api/v1/services-at-risk.json", get(services_at_risk))
        .route("/api/v1/what-if.json", get(what_if))
        .route("/api/v1/recommend.json", get(recommend))
        .with_state(query)
        .route("/api/v1/strips.json", get(strips))
        .with_state(parts)
        .method_not_allowed_fallback(only_read)
        .route("/api/", any(nothing))
        .route("/api/{*path}", any(nothing))
}

/// For a path that there is not.
async fn nothing(uri: Uri) -> Failed {
    Status::not_found(format!("there is no {}", uri.path())).into()
}

/// For a method that no path has.
async fn only_read() -> Response {
    let failed = Failed(Status::unimplemented(
        "the API is read with GET, and with nothing else",
    ));
    (StatusCode::METHOD_NOT_ALLOWED, failed).into_response()
}

/// The parameters in a query string. An unknown one is an error: a misspelt filter must not show every node.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Failed;

    async fn from_request_parts(head: &mut Head, state: &S) -> Result<Self, Failed> {
        Parameters::from_request_parts(head, state)
            .await
            .map(|Parameters(asked)| Self(asked))
            .map_err(|error| Failed::argument("query", error.body_text()))
    }
}

async fn fleet(State(query): Query, headers: HeaderMap) -> Answer {
    told(
        headers,
        query.get_fleet(Request::new(v1::GetFleetRequest {})),
    )
    .await
}

async fn nodes(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::Nodes>,
) -> Answer {
    told(headers, query.list_nodes(asked.request()?)).await
}

/// Kubernetes' names may hold dots, so the ending is taken off only once.
async fn node(
    State(query): Query,
    headers: HeaderMap,
    file: Result<Path<String>, PathRejection>,
) -> Answer {
    let Path(file) = file.map_err(|error| Failed::argument("name", error.body_text()))?;
    let Some(name) = file.strip_suffix(".json") else {
        return Err(Status::not_found("there is only nodes/NAME.json").into());
    };
    let name = name.to_owned();
    let request = Request::new(v1::GetNodeRequest { name });
    told(headers, query.get_node(request)).await
}

async fn course(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::Course>,
) -> Answer {
    told(headers, query.get_node_course(asked.request())).await
}

async fn gaps(State(query): Query, headers: HeaderMap, Asked(asked): Asked<asked::Gaps>) -> Answer {
    told(headers, query.list_gaps(asked.request()?)).await
}

async fn flips(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::Flips>,
) -> Answer {
    told(headers, query.list_flips(asked.request()?)).await
}

async fn explain_endpoint(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::Endpoint>,
) -> Answer {
    told(headers, query.explain_endpoint(asked.request()?)).await
}

async fn services_at_risk(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::ServicesAtRisk>,
) -> Answer {
    told(headers, query.list_services_at_risk(asked.request())).await
}

async fn what_if(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::WhatIf>,
) -> Answer {
    told(headers, query.simulate_grace(asked.request()?)).await
}

async fn recommend(
    State(query): Query,
    headers: HeaderMap,
    Asked(asked): Asked<asked::Recommend>,
) -> Answer {
    told(headers, query.recommend(asked.request())).await
}

async fn strips(
    State(parts): State<Arc<Parts>>,
    headers: HeaderMap,
    Asked(asked): Asked<strips::Asked>,
) -> Answer {
    let strips = strips::strips(&parts, &asked).await?;
    written(headers, move || Ok(strips.to_string())).await
}

/// What gRPC answers, as JSON.
async fn told<M: Message + Name + 'static>(
    asked: HeaderMap,
    answer: impl Future<Output = Result<tonic::Response<M>, Status>>,
) -> Answer {
    let message = answer.await?.into_inner();
    written(asked, move || {
        json::to_string(&message).map_err(|error| {
            tracing::error!(%error, "an answer has no form in JSON");
            Status::internal("the answer has no form in JSON")
        })
    })
    .await
}

/// Writes an answer where nobody waits for the thread: one about thousands of nodes takes a while, and agents report meanwhile.
async fn written(
    asked: HeaderMap,
    write: impl FnOnce() -> Result<String, Status> + Send + 'static,
) -> Answer {
    let answer = aside::compute(move || write().map(|text| reply::fresh(&asked, JSON, text)));
    let answer = answer.await.map_err(|error| {
        tracing::error!(%error, "an answer was not written");
        Status::internal("the answer was not written")
    })?;
    Ok(answer?)
}
