//! Answers: every verb on objects, as HTTP responses.

use http::{HeaderMap, Response, StatusCode, header};
use nodegrace_clock::Clock;
use serde_json::{Value, json};

use super::{
    fields::Writer,
    follow,
    object::{Key, patch, text},
    refusal::Refusal,
    request::{Request, Verb},
    respond::{Body, json_answer, object_answer},
    store::Store,
    table,
};

/// What the answers depend on besides the store.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) clock: Clock,
    pub(super) streaming_lists: bool,
}

/// Answers a request on objects.
pub(super) fn answer(
    store: &Store,
    settings: &Settings,
    request: &Request,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    match (&request.key, request.verb) {
        (None, Verb::Watch) => follow::watch(store, settings, request),
        (None, Verb::Create) => create(store, request, headers, body),
        (None, _) => list(store, settings, request, headers),
        (Some(key), Verb::Get) => {
            let current = store.revision();
            if let Some(wanted) = request.query.revision()?
                && wanted > current
            {
                return Err(Refusal::TooLarge {
                    requested: wanted,
                    current,
                });
            }
            let object = store.get(request.resource, key)?;
            if table::is_wanted(headers) {
                return Ok(json_answer(
                    StatusCode::OK,
                    &table::of(
                        request.resource,
                        &[object],
                        &json!({}),
                        settings.clock.wall(),
                    ),
                ));
            }
            Ok(object_answer(StatusCode::OK, &object))
        }
        (Some(key), Verb::Delete) => {
            let gone = store.delete(request.resource, key)?;
            Ok(json_answer(
                StatusCode::OK,
                &json!({
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Success",
                    "details": {"name": key.name, "kind": request.resource.names().plural, "uid": gone.uid()},
                }),
            ))
        }
        (Some(key), _) => write(store, request, key, headers, body),
    }
}

fn list(
    store: &Store,
    settings: &Settings,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let (mut objects, current) = store.list(request.resource, &request.selector()?);
    if let Some(wanted) = request.query.revision()?
        && wanted > current
    {
        return Err(Refusal::TooLarge {
            requested: wanted,
            current,
        });
    }
    let mut revision = current;
    if let Some(token) = &request.query.continue_from {
        // Later pages show objects as they are now, under the first page's revision: a watch from there brings every change
        // since, so that a client ends with the same state as from a snapshot.
        let (from, key) = continue_key(token)?;
        store.check_continue(from)?;
        revision = from;
        objects.retain(|object| object.key > key);
    }
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(limit) = request.query.limit
        && objects.len() > limit
    {
        metadata["remainingItemCount"] = (objects.len() - limit).into();
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            metadata["continue"] =
                format!("{revision}/{}/{}", last.key.namespace, last.key.name).into();
        }
    }
    if table::is_wanted(headers) {
        let table = table::of(request.resource, &objects, &metadata, settings.clock.wall());
        return Ok(json_answer(StatusCode::OK, &table));
    }
    let items: Vec<Value> = objects.iter().map(|object| object.as_item()).collect();
    Ok(json_answer(
        StatusCode::OK,
        &json!({
            "kind": format!("{}List", request.resource.names().kind),
            "apiVersion": request.resource.api_version(),
            "metadata": metadata,
            "items": items,
        }),
    ))
}

fn continue_key(token: &str) -> Result<(u64, Key), Refusal> {
    let mut parts = token.splitn(3, '/');
    match (
        parts.next().and_then(|text| text.parse().ok()),
        parts.next(),
        parts.next(),
    ) {
        (Some(revision), Some(namespace), Some(name)) => Ok((revision, Key::new(namespace, name))),
        _ => Err(Refusal::Invalid("continue key is not valid".to_owned())),
    }
}

fn create(
    store: &Store,
    request: &Request,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let mut object = parse(body)?;
    if let Some(namespace) = &request.namespace {
        object["metadata"]["namespace"] = namespace.as_str().into();
    }
    let created = store.create(request.resource, object, manager(request, headers))?;
    Ok(object_answer(StatusCode::CREATED, &created))
}

fn write(
    store: &Store,
    request: &Request,
    key: &Key,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response<Body>, Refusal> {
    let sent = parse(body)?;
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let strategic = media.starts_with("application/strategic-merge-patch+json");
    let is_patch = request.verb == Verb::Patch;
    if is_patch && !strategic && !media.starts_with("application/merge-patch+json") {
        return Err(Refusal::UnsupportedMediaType);
    }
    let writer = Writer {
        manager: manager(request, headers),
        status: request.status,
    };
    let written = store.update(request.resource, key, writer, |current| {
        check_preconditions(request, key, current, &sent)?;
        if is_patch {
            patch(current, &sent, strategic);
        } else if request.status {
            current["status"] = sent["status"].clone();
        } else {
            *current = sent;
        }
        Ok(())
    })?;
    Ok(object_answer(StatusCode::OK, &written))
}

/// Optimistic concurrency: who sends a resourceVersion or uid means exactly that object.
fn check_preconditions(
    request: &Request,
    key: &Key,
    current: &Value,
    sent: &Value,
) -> Result<(), Refusal> {
    let differs = |pointer: &str| {
        let wanted = text(sent, pointer);
        !wanted.is_empty() && wanted != text(current, pointer)
    };
    if differs("/metadata/resourceVersion") || differs("/metadata/uid") {
        return Err(Refusal::Conflict {
            resource: request.resource,
            name: key.name.clone(),
        });
    }
    Ok(())
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| Refusal::Invalid("the body of the request is not a JSON object".to_owned()))
}

/// The field manager: as asked for, or the first word of the user agent.
fn manager<'a>(request: &'a Request, headers: &'a HeaderMap) -> &'a str {
    request.query.field_manager.as_deref().unwrap_or_else(|| {
        headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .and_then(|agent| agent.split('/').next())
            .unwrap_or("unknown")
    })
}
