//! Answers: every verb on objects, as HTTP responses.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use nodegrace_clock::Clock;
use serde_json::{Value, json};

use super::{
    fields::Writer,
    object::{Key, Object, patch, text},
    refusal::Refusal,
    request::{Request, Verb},
    store::Store,
    table,
    watch::{Event, Since, Watch},
};

/// Body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// How often a watch that allows it gets a bookmark: the server's "about every minute".
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long a watch lasts that asks for no end; the real server chooses between 30 and 60 minutes.
const DEFAULT_WATCH: Duration = Duration::from_secs(45 * 60);

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
        (None, Verb::Watch) => watch(store, settings, request),
        (None, Verb::Create) => create(store, request, headers, body),
        (None, _) => list(store, settings, request, headers),
        (Some(key), Verb::Get) => {
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

fn watch(store: &Store, settings: &Settings, request: &Request) -> Result<Response<Body>, Refusal> {
    let since = match request.query.revision()? {
        _ if request.query.initial_events => {
            if !settings.streaming_lists {
                return Ok(stream_answer(failed(request, Refusal::NoStreamingList)));
            }
            Since::StateThenBookmark
        }
        Some(revision) => Since::Revision(revision),
        None => Since::State,
    };
    let watch = match store.watch(request.resource, request.selector()?, since) {
        Ok(watch) => watch,
        // The real server has said 200 by the time it finds out.
        Err(refusal @ Refusal::Expired { .. }) => {
            return Ok(stream_answer(failed(request, refusal)));
        }
        Err(refusal) => return Err(refusal),
    };
    let clock = settings.clock.clone();
    let lasts = request
        .query
        .timeout_seconds
        .map_or(DEFAULT_WATCH, Duration::from_secs);
    let end = clock.now() + lasts;
    let next_bookmark = request
        .query
        .bookmarks
        .then(|| clock.now() + BOOKMARK_EVERY);
    let following = Following {
        watch,
        clock,
        next_bookmark,
        end,
        over: false,
    };
    Ok(stream_answer(stream::unfold(
        following,
        Following::next_line,
    )))
}

/// A watch on its way to a client.
struct Following {
    watch: Watch,
    clock: Clock,
    next_bookmark: Option<Duration>,
    end: Duration,
    over: bool,
}

impl Following {
    async fn next_line(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        loop {
            let bookmark = self.next_bookmark.unwrap_or(Duration::MAX);
            let wake = bookmark.min(self.end);
            tokio::select! {
                biased;
                event = self.watch.next() => {
                    let event = event?;
                    self.over = matches!(event, Event::Error(_));
                    return Some((event.line(self.watch.resource), self));
                }
                () = self.clock.sleep_until(wake) => {
                    if self.clock.now() >= self.end {
                        return None;
                    }
                    self.watch.request_bookmark();
                    self.next_bookmark = Some(self.clock.now() + BOOKMARK_EVERY);
                }
            }
        }
    }
}

/// A watch that ends with an error at once.
fn failed(request: &Request, refusal: Refusal) -> impl stream::Stream<Item = Bytes> + Send + use<> {
    let line = Event::Error(refusal).line(request.resource);
    stream::once(async move { line })
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

fn object_answer(code: StatusCode, object: &Object) -> Response<Body> {
    respond(
        code,
        "application/json",
        Full::new(object.json()).boxed_unsync(),
    )
}

/// An answer with a JSON document.
pub(super) fn json_answer(code: StatusCode, value: &Value) -> Response<Body> {
    text_answer(code, "application/json", value.to_string())
}

/// An answer with any text.
pub(super) fn text_answer(code: StatusCode, media: &'static str, text: String) -> Response<Body> {
    respond(code, media, Full::new(Bytes::from(text)).boxed_unsync())
}

/// An answer that says no.
pub(super) fn refusal_answer(refusal: &Refusal) -> Response<Body> {
    if *refusal == Refusal::NoSuchPath {
        return text_answer(
            refusal.code(),
            "text/plain; charset=utf-8",
            format!("{refusal}\n"),
        );
    }
    let mut answer = json_answer(refusal.code(), &refusal.status());
    if refusal.code() == StatusCode::TOO_MANY_REQUESTS {
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    answer
}

fn stream_answer(lines: impl stream::Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
    use futures::StreamExt as _;
    let frames = lines.map(|line| Ok(Frame::data(line)));
    respond(
        StatusCode::OK,
        "application/json",
        BodyExt::boxed_unsync(StreamBody::new(frames)),
    )
}

fn respond(code: StatusCode, media: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(media),
    );
    response
}
