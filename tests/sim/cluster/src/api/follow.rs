//! Watches on the wire: which events become lines, when bookmarks come, when it ends.

use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::Response;
use nodegrace_clock::Clock;

use super::{
    answer::Settings,
    refusal::Refusal,
    request::Request,
    respond::{Body, stream_answer},
    store::Store,
    watch::{Event, Since, Watch},
};

/// How often a watch that allows it gets a bookmark: the server's "about every minute".
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long a watch lasts that asks for no end; the real server chooses between 30 and 60 minutes.
const DEFAULT_WATCH: Duration = Duration::from_secs(45 * 60);

/// Answers a watch.
pub(super) fn watch(
    store: &Store,
    settings: &Settings,
    request: &Request,
) -> Result<Response<Body>, Refusal> {
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
