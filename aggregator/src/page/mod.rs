//! The web page and what it reads: `/`, its files, and `/api/v1/*.json`.
//!
//! Every figure comes from the code that answers gRPC. The files are in the binary, so that the page works where no other
//! server can be reached, and nothing is asked of any.

mod api;
mod assets;
mod error;
mod reply;
mod strips;

use std::sync::Arc;

use axum::{
    Router,
    http::{HeaderMap, HeaderValue, header},
    middleware,
    response::{IntoResponse as _, Response},
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) use self::assets::is_file;
use crate::Aggregator;

/// Nothing from elsewhere, nothing inline, in nobody's frame. `data:` is the page's icon.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Aggregator {
    /// The page and its API, which ends what it computes at `shutdown`.
    pub fn page(&self, shutdown: CancellationToken) -> Router {
        assets::routes()
            .merge(api::routes(Arc::clone(&self.parts), shutdown))
            .layer(middleware::map_response(guarded))
    }
}

/// Whether a path is the API's, or would be if there were something.
pub(crate) fn is_api(path: &str) -> bool {
    path.starts_with("/api/")
}

/// The API's answer when it fails.
pub(crate) fn failed(status: Status) -> Response {
    error::Failed(status).into_response()
}

/// The answer with the headers that keep a browser from doing anything but showing it.
async fn guarded(mut response: Response) -> Response {
    let headers: &mut HeaderMap = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Kept, but asked for again each time: figures change, and so does the page with a new release.
        (header::CACHE_CONTROL, "no-cache"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Who may not ask must not find the answer in a cache.
    headers.insert(header::VARY, HeaderValue::from_static("authorization"));
    response
}
