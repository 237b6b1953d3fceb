//! How servers stop: in time, whatever their clients do.
//!
//! The handlers of this crate end their own streams when they are told to stop. Those of reflection and health are not ours,
//! and a single client that keeps one open would hold the server until the drain gives up; [`end_streams`] ends them.

use std::{future::Future, time::Duration};

use futures::{FutureExt as _, StreamExt as _, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::{
    Response,
    body::{Body as _, Frame},
};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};

/// How long a server may take to stop: below the 5 s within which the whole process is gone.
const DRAIN: Duration = Duration::from_secs(4);
/// How long a response may go on after the signal: enough for a last acknowledgement.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Runs a server that stops by itself on `shutdown`, and gives it [`DRAIN`] for that.
pub(super) async fn drained<E>(
    server: impl Future<Output = Result<(), E>>,
    shutdown: &CancellationToken,
) -> Result<(), E> {
    tokio::select! {
        outcome = server => outcome,
        // Armed from the start: a server waited for first would never let the timer begin.
        () = after(shutdown.clone(), DRAIN) => {
            tracing::warn!("drain timed out, closing the connections that are left");
            Ok(())
        }
    }
}

/// Lets every response end [`LAST_WORDS`] after the signal, with UNAVAILABLE.
pub(super) fn end_streams(
    shutdown: CancellationToken,
) -> impl Fn(Response<Body>) -> Response<Body> + Clone {
    move |response| {
        let end = after(shutdown.clone(), LAST_WORDS);
        let end = end.map(|()| Status::unavailable("the aggregator stops"));
        response.map(|body| ending(body, end))
    }
}

/// The same body, which ends with the status of `end` if that comes first.
pub(super) fn ending(body: Body, end: impl Future<Output = Status> + Send + 'static) -> Body {
    if body.is_end_stream() {
        // Its status stands in the headers; there is nothing to end.
        return body;
    }
    let end = end.map(|status| {
        let mut trailers = hyper::HeaderMap::new();
        status
            .add_header(&mut trailers)
            .map(|()| Frame::trailers(trailers))
    });
    let frames = BodyStream::new(body);
    let frames = stream::unfold(Some((frames, Box::pin(end))), |state| async {
        let (mut frames, mut end) = state?;
        tokio::select! {
            biased;
            // First, or a body that always has more would never end.
            last = &mut end => Some((last, None)),
            frame = frames.next() => frame.map(|frame| (frame, Some((frames, end)))),
        }
    });
    Body::new(StreamBody::new(frames))
}

/// Ends `grace` after the signal. Real time: this is about clients on a network, not about what is measured.
async fn after(shutdown: CancellationToken, grace: Duration) {
    shutdown.cancelled_owned().await;
    #[allow(clippy::disallowed_methods, reason = "a drain is limited in real time")]
    tokio::time::sleep(grace).await;
}
