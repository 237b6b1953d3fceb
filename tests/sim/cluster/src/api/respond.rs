//! HTTP responses: documents, objects, refusals and streams of lines.

use std::convert::Infallible;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Frame;
use serde_json::Value;

use super::{object::Object, refusal::Refusal};

/// Body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;

/// An answer with an object.
pub(super) fn object_answer(code: StatusCode, object: &Object) -> Response<Body> {
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
    if refusal.code() == StatusCode::TOO_MANY_REQUESTS {
        // The filter that says so stands before all that knows how to write a Status: it says the rest in a header.
        let text = "Too many requests, please try again later.\n".to_owned();
        let mut answer = text_answer(refusal.code(), "text/plain; charset=utf-8", text);
        answer
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        return answer;
    }
    json_answer(refusal.code(), &refusal.status())
}

/// An answer that goes on line by line.
pub(super) fn stream_answer(lines: impl Stream<Item = Bytes> + Send + 'static) -> Response<Body> {
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
