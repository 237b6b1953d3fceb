//! Readers that are too slow for a large answer.
//!
//! What hyper takes from a body at once waits in memory until the client has read it. So a large answer is handed over in
//! pieces, and one of which no piece was taken for a while is thrown away: its reader gets `RESOURCE_EXHAUSTED` in place of the
//! rest.

use std::{
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures::{StreamExt as _, stream};
use http_body_util::{BodyStream, StreamBody};
use hyper::{
    HeaderMap, Response,
    body::{Body as _, Bytes, Frame},
};
use tokio::time::Instant;
use tonic::{Status, body::Body};

/// What is handed over at once: as much as a client takes without being asked, unless it says otherwise.
const PIECE: usize = 64 << 10;
/// How long a reader may take for one piece. Real time: this is about the reader's network. The same as for a watch's message.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is looked who is too slow.
const LOOK: Duration = Duration::from_secs(1);

/// The large answers that are being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Readers(Arc<Mutex<Vec<Weak<Mutex<Rest>>>>>);

/// What a reader has not taken yet of an answer.
#[derive(Debug)]
struct Rest {
    /// The frames that come next. Absent: they were thrown away.
    frames: Option<BodyStream<Body>>,
    /// What is left of a large frame.
    bytes: Bytes,
    /// When it took the last piece.
    taken: Instant,
    /// True when the rest was thrown away and its reader was not told yet.
    given_up: bool,
    /// True while it is among those that are looked after.
    listed: bool,
}

impl Readers {
    /// Hands a response over in pieces.
    pub(super) fn pace(&self, response: Response<Body>) -> Response<Body> {
        response.map(|body| {
            if body.is_end_stream() {
                body
            } else {
                self.in_pieces(body)
            }
        })
    }

    /// Throws away what is not read, for ever.
    pub(super) async fn watch(&self) -> Infallible {
        loop {
            #[allow(clippy::disallowed_methods, reason = "readers live in real time")]
            tokio::time::sleep(LOOK).await;
            self.readers().retain(|rest| {
                rest.upgrade()
                    .is_some_and(|rest| lock(&rest).is_read_in_time())
            });
        }
    }

    fn in_pieces(&self, body: Body) -> Body {
        let rest = Arc::new(Mutex::new(Rest {
            frames: Some(BodyStream::new(body)),
            bytes: Bytes::new(),
            taken: Instant::now(),
            given_up: false,
            listed: false,
        }));
        let readers = self.clone();
        Body::new(StreamBody::new(stream::poll_fn(move |context| {
            let (frame, wants_listing) = {
                let mut rest = lock(&rest);
                (rest.poll(context), rest.wants_listing())
            };
            // The list is locked before what is in it, never after.
            if wants_listing {
                readers.readers().push(Arc::downgrade(&rest));
            }
            frame
        })))
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Weak<Mutex<Rest>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    /// The next frame, or the next piece of a large one.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if mem::take(&mut self.given_up) {
            let status = Status::resource_exhausted("the answer was read too slowly");
            return Poll::Ready(Some(last_word(&status)));
        }
        if !self.bytes.is_empty() {
            self.taken = Instant::now();
            let piece = piece_of(&mut self.bytes);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let Some(frames) = &mut self.frames else {
            return Poll::Ready(None);
        };
        let mut frame = ready!(frames.poll_next_unpin(context));
        if let Some(Ok(large)) = &mut frame
            && let Some(data) = large.data_mut()
            && data.len() > PIECE
        {
            let first = piece_of(data);
            self.taken = Instant::now();
            self.bytes = mem::replace(data, first);
        }
        Poll::Ready(frame)
    }

    /// True when there is something to look after and nobody does; from then on somebody does.
    const fn wants_listing(&mut self) -> bool {
        let wants = !self.listed && !self.bytes.is_empty();
        self.listed |= wants;
        wants
    }

    /// Throws the rest away when nothing of it was taken for too long. False: nobody need look at it any more.
    fn is_read_in_time(&mut self) -> bool {
        if !self.bytes.is_empty() && self.taken.elapsed() > PATIENCE {
            self.bytes = Bytes::new();
            // The encoder in there holds the same memory.
            self.frames = None;
            self.given_up = true;
        }
        self.listed = !self.bytes.is_empty();
        self.listed
    }
}

/// Takes the first piece. A copy: a part of the whole would keep all of it in memory.
fn piece_of(bytes: &mut Bytes) -> Bytes {
    Bytes::copy_from_slice(&bytes.split_to(bytes.len().min(PIECE)))
}

fn lock(rest: &Mutex<Rest>) -> MutexGuard<'_, Rest> {
    rest.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The trailers that end a body with `status`.
fn last_word(status: &Status) -> Result<Frame<Bytes>, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(Frame::trailers(trailers))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes whose memory somebody else holds as well, as an encoder does.
    struct Shared(Arc<Vec<u8>>);

    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    /// An answer of one large frame, and whether any of its memory is still held.
    fn large_answer() -> (Response<Body>, Weak<Vec<u8>>) {
        let memory = Arc::new(vec![7; 4 * PIECE]);
        let weak = Arc::downgrade(&memory);
        let frame = Bytes::from_owner(Shared(Arc::clone(&memory)));
        // What an encoder does with its buffer until it is asked for more.
        let end = stream::unfold(memory, |_| std::future::ready(None));
        let frames = stream::iter([frame]).chain(end);
        let frames = frames.map(|bytes| Ok::<_, Status>(Frame::data(bytes)));
        (Response::new(Body::new(StreamBody::new(frames))), weak)
    }

    async fn pass(duration: Duration) {
        tokio::time::advance(duration).await;
        // Whoever looks has its turn.
        tokio::task::yield_now().await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_reads_is_freed_though_nobody_asks_for_it_again() {
        let readers = Readers::default();
        let watch = readers.clone();
        let watching = tokio::spawn(async move { watch.watch().await });
        let (answer, memory) = large_answer();
        let mut unread = BodyStream::new(readers.pace(answer).into_body());
        unread.next().await.unwrap().unwrap();

        pass(PATIENCE / 2).await;
        assert!(memory.upgrade().is_some());
        pass(PATIENCE).await;
        assert!(memory.upgrade().is_none(), "it is still held");

        let last = unread.next().await.unwrap().unwrap();
        assert!(last.is_trailers());
        assert!(unread.next().await.is_none());
        watching.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_arrives_whole() {
        let readers = Readers::default();
        let (answer, _) = large_answer();
        let mut frames = BodyStream::new(readers.pace(answer).into_body());
        let mut bytes = 0;
        while let Some(frame) = frames.next().await {
            bytes += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(bytes, 4 * PIECE);
        assert_eq!(readers.readers().len(), 1, "it is listed once");
    }
}
