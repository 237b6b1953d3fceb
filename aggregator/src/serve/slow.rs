//! Readers that are too slow for a large answer.
//!
//! What hyper takes from a body at once waits in memory until the client has read it. So a large answer is handed over in
//! pieces, and one of which no piece was taken for a while is thrown away: its reader gets `RESOURCE_EXHAUSTED` in place of the
//! rest.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
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

/// What a reader has not taken yet of a large frame.
#[derive(Debug)]
struct Rest {
    bytes: Bytes,
    /// When it took the last piece.
    taken: Instant,
    /// True when the rest was thrown away.
    given_up: bool,
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
            bytes: Bytes::new(),
            taken: Instant::now(),
            given_up: false,
        }));
        let state = Some((BodyStream::new(body), rest, self.clone()));
        let frames = stream::unfold(state, async |state| {
            let (mut frames, rest, readers) = state?;
            let piece = lock(&rest).take();
            match piece {
                Some(Ok(piece)) => Some((Ok(Frame::data(piece)), Some((frames, rest, readers)))),
                Some(Err(status)) => Some((last_word(&status), None)),
                None => {
                    let mut frame = frames.next().await?;
                    if let Ok(large) = &mut frame
                        && let Some(data) = large.data_mut()
                        && data.len() > PIECE
                    {
                        let first = piece_of(data);
                        lock(&rest).put(std::mem::replace(data, first));
                        readers.readers().push(Arc::downgrade(&rest));
                    }
                    Some((frame, Some((frames, rest, readers))))
                }
            }
        });
        Body::new(StreamBody::new(frames))
    }

    fn readers(&self) -> MutexGuard<'_, Vec<Weak<Mutex<Rest>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rest {
    fn put(&mut self, bytes: Bytes) {
        self.bytes = bytes;
        self.taken = Instant::now();
    }

    /// The next piece. Absent: there is no rest.
    ///
    /// # Errors
    /// When it was thrown away.
    fn take(&mut self) -> Option<Result<Bytes, Status>> {
        if self.given_up {
            let status = Status::resource_exhausted("the answer was read too slowly");
            return Some(Err(status));
        }
        self.taken = Instant::now();
        (!self.bytes.is_empty()).then(|| Ok(piece_of(&mut self.bytes)))
    }

    /// Throws the rest away when nothing of it was taken for too long. False: nobody need look at it any more.
    fn is_read_in_time(&mut self) -> bool {
        if !self.bytes.is_empty() && self.taken.elapsed() > PATIENCE {
            self.bytes = Bytes::new();
            self.given_up = true;
        }
        !self.bytes.is_empty()
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
