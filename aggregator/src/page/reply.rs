//! An answer with the tag by which a browser asks whether it changed.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use ring::digest::{SHA256, digest};

/// Bytes of the digest in the tag: two answers of one address never share it by accident.
const TAG_BYTES: usize = 12;

/// `body`, or 304 when the one who asks has it already.
pub(super) fn fresh(asked: &HeaderMap, kind: &'static str, body: String) -> Response {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in &digest(&SHA256, body.as_bytes()).as_ref()[..TAG_BYTES] {
        // Writing to a string cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    let known = asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|value| value.trim() == "*" || value.trim().trim_start_matches("W/") == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], body).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
