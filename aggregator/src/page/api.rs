//! `/api/v1/*.json`: the queries of gRPC for whoever speaks HTTP. The parameters are the fields of the requests, by their names
//! in the proto files; the answers are their messages as JSON.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRequestParts, Path, Query as Parameters, State},
    http::{HeaderMap, request::Parts as Head},
    response::Response,
    routing::get,
};
use nodegrace_proto::{
    json, prost_types,
    v1::{self, query_server::Query as _},
};
use prost::{Message, Name};
use serde::{Deserialize, de::DeserializeOwned};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status};

use super::{error::Failed, reply, strips};
use crate::{aggregator::Parts, query::Service, wire};

const JSON: &str = "application/json";

type Answer = Result<Response, Failed>;

/// What the answers are made of.
#[derive(Clone, Debug)]
struct Api {
    parts: Arc<Parts>,
    query: Arc<Service>,
}

pub(super) fn routes(parts: Arc<Parts>, shutdown: CancellationToken) -> Router {
    let query = Arc::new(Service::new(Arc::clone(&parts), shutdown));
    Router::new()
        .route("/api/v1/fleet.json", get(fleet))
        .route("/api/v1/nodes.json", get(nodes))
        .route("/api/v1/nodes/{name}", get(node))
        .route("/api/v1/gaps.json", get(gaps))
        .route("/api/v1/what-if.json", get(what_if))
        .route("/api/v1/recommend.json", get(recommend))
        .route("/api/v1/strips.json", get(strips))
        .with_state(Api { parts, query })
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

async fn fleet(State(api): State<Api>, headers: HeaderMap) -> Answer {
    let fleet = api.query.get_fleet(Request::new(v1::GetFleetRequest {}));
    answer(&headers, &fleet.await?.into_inner())
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NodesAsked {
    page_size: i32,
    page_token: String,
    order_by: String,
    filter: String,
    view: String,
}

impl Default for NodesAsked {
    fn default() -> Self {
        Self {
            page_size: 0,
            page_token: String::new(),
            order_by: String::new(),
            filter: String::new(),
            view: "BASIC".to_owned(),
        }
    }
}

async fn nodes(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(asked): Asked<NodesAsked>,
) -> Answer {
    let view = match &*asked.view {
        "BASIC" => v1::NodeView::Basic,
        "FULL" => v1::NodeView::Full,
        _ => return Err(Failed::argument("view", "must be BASIC or FULL")),
    };
    let nodes = api.query.list_nodes(Request::new(v1::ListNodesRequest {
        page_size: asked.page_size,
        page_token: asked.page_token,
        order_by: asked.order_by,
        filter: asked.filter,
        view: view.into(),
    }));
    answer(&headers, &nodes.await?.into_inner())
}

/// Kubernetes' names may hold dots, so the ending is taken off only once.
async fn node(State(api): State<Api>, headers: HeaderMap, Path(file): Path<String>) -> Answer {
    let Some(name) = file.strip_suffix(".json") else {
        return Err(Status::not_found("there is only nodes/NAME.json").into());
    };
    let name = name.to_owned();
    let node = api
        .query
        .get_node(Request::new(v1::GetNodeRequest { name }));
    answer(&headers, &node.await?.into_inner())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GapsAsked {
    node_name: String,
    min_duration: Option<String>,
    page_size: i32,
    page_token: String,
    order_by: String,
}

async fn gaps(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(asked): Asked<GapsAsked>,
) -> Answer {
    let gaps = api.query.list_gaps(Request::new(v1::ListGapsRequest {
        min_duration: optional("min_duration", asked.min_duration.as_deref())?,
        node_name: asked.node_name,
        page_size: asked.page_size,
        page_token: asked.page_token,
        order_by: asked.order_by,
    }));
    answer(&headers, &gaps.await?.into_inner())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WhatIfAsked {
    /// Comma-separated; each makes a candidate.
    grace_period: String,
    /// Of every candidate. Absent: the present one.
    monitor_period: Option<String>,
    max_nodes: i32,
}

async fn what_if(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(asked): Asked<WhatIfAsked>,
) -> Answer {
    let monitor_period = optional("monitor_period", asked.monitor_period.as_deref())?;
    let graces = asked
        .grace_period
        .split(',')
        .filter(|text| !text.is_empty());
    let candidates = graces
        .map(|text| {
            Ok(v1::GraceCandidate {
                grace_period: Some(duration("grace_period", text)?),
                monitor_period,
            })
        })
        .collect::<Result<_, Failed>>()?;
    let outcomes = api
        .query
        .simulate_grace(Request::new(v1::SimulateGraceRequest {
            candidates,
            max_nodes: asked.max_nodes,
        }));
    answer(&headers, &outcomes.await?.into_inner())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RecommendAsked {
    flips_per_thousand_nodes_month: Option<f64>,
    max_nodes: i32,
}

async fn recommend(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(asked): Asked<RecommendAsked>,
) -> Answer {
    let advice = api.query.recommend(Request::new(v1::RecommendRequest {
        flips_per_thousand_nodes_month: asked.flips_per_thousand_nodes_month,
        max_nodes: asked.max_nodes,
    }));
    answer(&headers, &advice.await?.into_inner())
}

async fn strips(
    State(api): State<Api>,
    headers: HeaderMap,
    Asked(asked): Asked<strips::Asked>,
) -> Answer {
    let strips = strips::strips(&api.parts, &asked).await?;
    Ok(reply::fresh(&headers, JSON, strips.to_string()))
}

fn answer<M: Message + Name>(asked: &HeaderMap, message: &M) -> Answer {
    let text = json::to_string(message).map_err(|error| {
        tracing::error!(%error, "an answer has no form in JSON");
        Status::internal("the answer has no form in JSON")
    })?;
    Ok(reply::fresh(asked, JSON, text))
}

fn optional(field: &str, text: Option<&str>) -> Result<Option<prost_types::Duration>, Failed> {
    text.map(|text| duration(field, text)).transpose()
}

/// A duration as gRPC's JSON has it ("2.5s"), and as people write it ("1m 30s").
fn duration(field: &str, text: &str) -> Result<prost_types::Duration, Failed> {
    let seconds = text
        .strip_suffix('s')
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds
        .map_or_else(|| humantime::parse_duration(text), Ok)
        .map(wire::to_duration)
        .map_err(|error| Failed::argument(field, error))
}
