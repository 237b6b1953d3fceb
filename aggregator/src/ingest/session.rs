//! One agent's stream, from its first batch to its end.
//!
//! Batches are read only once those before are on disk and their acknowledgements were taken: neither a slow disk nor an agent
//! that does not read costs more memory than a few batches. Those that are there at once are kept and acknowledged together.

use std::{mem, sync::Arc, time::Duration};

use futures::{FutureExt as _, Stream, stream};
use nodegrace_proto::v1::{Rejection, ReportAck, ReportBatch};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::{
    badge::Badge,
    convert::{self, Converted},
    envelope::Envelope,
    limits::{MAX_MESSAGE_SIZE, MAX_RECORDS, MAX_VIEWS},
    pace::Pace,
    stream_places::StreamPlace,
};
use crate::{
    aggregator::Parts,
    register::{Batch, OpenStream},
    store::{Kept, ToKeep},
};

/// Batches of a stream that are kept together: waking the stream, its acknowledgement and the write to its socket cost as much
/// for one of them as for all.
const TOGETHER: usize = 4;
/// Bytes of them from which on no further one is read: those of usual batches. One that is large waits by itself.
const TOGETHER_BYTES: usize = 4 << 10;

/// One agent's stream.
pub(super) struct Session {
    parts: Arc<Parts>,
    batches: Streaming<ReportBatch>,
    /// For which node it may report.
    badge: Badge,
    /// Envelope of the first batch. Absent: it has not come yet.
    first: Option<Envelope>,
    /// Says that the agent is connected. Absent: it has not said anything of now yet.
    open: Option<OpenStream>,
    /// Every record up to this number is kept.
    acknowledged: u64,
    /// What ends the stream once the acknowledgement that was due is given.
    end: Option<End>,
    shutdown: CancellationToken,
    stopping: bool,
    pace: Pace,
    /// How long it has to wait before it may go on.
    wait: Duration,
    /// Its place among the streams that may be open.
    _place: StreamPlace,
}

/// What ends a stream.
enum End {
    /// The agent has said all.
    Said,
    /// The agent is refused.
    Refused(Status),
}

/// Batches that were found right and are kept together.
struct Handful {
    to_keep: Vec<ToKeep>,
    /// The highest number they were sent with; 0: they have no records.
    highest: u64,
    /// What was refused of the last one. Nothing was of those before.
    rejections: Vec<Rejection>,
    bytes: usize,
}

impl Handful {
    /// True when none may follow what is in it.
    fn is_full(&self) -> bool {
        // Where something was refused is said of the batch that is acknowledged.
        self.to_keep.len() == TOGETHER || self.bytes > TOGETHER_BYTES || !self.rejections.is_empty()
    }
}

impl Session {
    pub(super) fn new(
        parts: Arc<Parts>,
        batches: Streaming<ReportBatch>,
        badge: Badge,
        place: StreamPlace,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            pace: Pace::new(parts.clock.now()),
            wait: Duration::ZERO,
            parts,
            batches,
            badge,
            first: None,
            open: None,
            acknowledged: 0,
            end: None,
            shutdown,
            stopping: false,
            _place: place,
        }
    }

    /// The acknowledgements, one for all that is kept together, and the error that ends the stream if one does.
    pub(super) fn acks(self) -> impl Stream<Item = Result<ReportAck, Status>> + Send {
        // Boxed: a stream has room for what it waits with and for what it waits for, and would hold the session twice.
        let session = Some(Box::new(self));
        stream::unfold(session, async |session| session?.next().await)
    }

    /// The next acknowledgement, and the session when it goes on after it.
    async fn next(mut self: Box<Self>) -> Option<(Result<ReportAck, Status>, Option<Box<Self>>)> {
        match self.end.take() {
            None => {}
            Some(End::Said) => return None,
            Some(End::Refused(status)) => return Some((Err(self.refused(status)), None)),
        }
        if self.stopping {
            let status = Status::unavailable("the aggregator stops");
            return Some((Err(status), None));
        }
        if self.shutdown.is_cancelled() {
            self.stopping = true;
            return Some((Ok(self.ack(Vec::new())), Some(self)));
        }
        let wait = mem::take(&mut self.wait);
        let batch = async {
            if !wait.is_zero() {
                self.parts.clock.sleep(wait).await;
            }
            self.batches.message().await
        };
        let batch = tokio::select! {
            // A batch that is there already need not wait for anything.
            biased;
            batch = batch => batch.map_err(malformed).transpose()?,
            () = self.shutdown.cancelled() => {
                self.stopping = true;
                return Some((Ok(self.ack(Vec::new())), Some(self)));
            }
        };
        let ack = match batch {
            // Boxed: a stream that waits for its next batch needs no room for what becomes of one.
            Ok(batch) => Box::pin(self.take(batch)).await,
            Err(status) => {
                self.end = Some(End::Refused(status));
                None
            }
        };
        match ack {
            Some(ack) => Some((Ok(ack), Some(self))),
            None => match self.end.take() {
                Some(End::Refused(status)) => Some((Err(self.refused(status)), None)),
                Some(End::Said) | None => None,
            },
        }
    }

    /// Keeps what is right in `batch`, and in those behind it that are there already; gives their acknowledgement. Absent: none is
    /// kept, and the stream ends.
    async fn take(&mut self, batch: ReportBatch) -> Option<ReportAck> {
        let mut handful = Handful {
            to_keep: Vec::with_capacity(1),
            highest: 0,
            rejections: Vec::new(),
            bytes: 0,
        };
        let mut next = Some(batch);
        while let Some(batch) = next.take() {
            let replay = batch.replay;
            if let Err(status) = self.check(batch, &mut handful).await {
                self.end = Some(End::Refused(status));
                break;
            }
            // The first one about now opens the stream, which others must find open; and whoever has to wait waits after each, also
            // for what was shown to be checked again.
            let opens = self.open.is_none() && !replay;
            let alone = opens || !self.wait.is_zero() || self.badge.is_due(&self.parts);
            if alone || handful.is_full() {
                break;
            }
            match self.batches.message().now_or_never() {
                None => {}
                Some(Ok(Some(batch))) => next = Some(batch),
                Some(Ok(None)) => self.end = Some(End::Said),
                Some(Err(status)) => self.end = Some(End::Refused(malformed(status))),
            }
        }
        if handful.to_keep.is_empty() {
            return None;
        }
        match self.keep(handful).await {
            Ok(ack) => Some(ack),
            Err(status) => {
                self.end = Some(End::Refused(status));
                None
            }
        }
    }

    /// Waits until `handful` is kept; gives its acknowledgement.
    async fn keep(&mut self, handful: Handful) -> Result<ReportAck, Status> {
        match self.parts.store.keep(&self.parts, handful.to_keep).await? {
            Kept::NoRoom => return Err(self.no_room()),
            Kept::Applied(opened) => self.open = self.open.take().or(opened),
        }
        self.acknowledged = self.acknowledged.max(handful.highest);
        Ok(self.ack(handful.rejections))
    }

    /// Notes that the stream ends with `status`.
    fn refused(&self, status: Status) -> Status {
        let node = self.first.as_ref().map(|first| &*first.node);
        count_refusal(&self.parts, node, &status);
        status
    }

    /// Puts what is right in `batch` into `handful`.
    async fn check(&mut self, mut batch: ReportBatch, handful: &mut Handful) -> Result<(), Status> {
        // Before anything is waited for: what is held meanwhile may be large.
        let sent = convert::record_count(&batch);
        if sent > MAX_RECORDS {
            let problem = format!("a batch must not hold more than {MAX_RECORDS} records");
            return Err(Status::resource_exhausted(problem));
        }
        if batch.channel_views.len() > MAX_VIEWS {
            let problem = format!("channel_views: must not be more than {MAX_VIEWS}");
            return Err(Status::resource_exhausted(problem));
        }
        let envelope = Envelope::of(&batch, self.first.as_ref())?;
        self.badge.covers(&envelope.node, &self.parts).await?;
        let bytes = batch.encoded_len();
        self.slow_down(sent, bytes);
        let Parts {
            register,
            store,
            timeline,
            ..
        } = &*self.parts;
        // Before anything is written of a node that cannot be kept.
        if !register.has_room(&envelope.node) {
            self.first.get_or_insert(envelope);
            return Err(self.no_room());
        }
        let opens = self.first.is_none() || (self.open.is_none() && !batch.replay);
        self.first.get_or_insert_with(|| envelope.clone());
        // The log's own word on what it left out.
        batch.sent_records = None;
        let shed = if self.acknowledged > 0 && store.is_behind() {
            convert::shed_samples(&mut batch)
        } else {
            0
        };
        let wire = store.encode(&batch);
        let (sent, instance) = (
            convert::record_count(&batch),
            batch.agent.as_ref().filter(|_| opens).cloned(),
        );
        let Converted {
            report,
            news,
            rejections,
        } = convert::batch(envelope, batch);
        let highest = report.sent_records.map_or(0, |(_, last)| last);
        let refused = sent - report.records.len();
        if refused > 0 {
            tracing::debug!(node = &*report.node, refused, "records refused");
        }
        handful.highest = handful.highest.max(highest);
        handful.rejections = rejections;
        handful.bytes += bytes;
        let batch = Batch {
            report,
            news,
            instance,
            received: timeline.now(),
        };
        handful.to_keep.push(ToKeep {
            batch,
            wire,
            shed,
            refused,
        });
        Ok(())
    }

    /// Has the next batch wait when they come faster than an agent has something to say.
    fn slow_down(&mut self, records: usize, bytes: usize) {
        self.wait = self.pace.pay(records, bytes, self.parts.clock.now());
        if !self.wait.is_zero()
            && let Some(times) = self.parts.refused.hasty_batches.count()
        {
            let node = self.first.as_ref().map(|first| &*first.node);
            tracing::warn!(
                node,
                times,
                "batches come too fast and have to wait, this was the last"
            );
        }
    }

    fn no_room(&self) -> Status {
        if let Some(times) = self.parts.refused.nodes.count() {
            let node = self.first.as_ref().map(|first| &*first.node);
            tracing::error!(
                node,
                times,
                "there are more nodes than --max-nodes, this was the last that was refused"
            );
        }
        Status::resource_exhausted("too many nodes for this aggregator: see its --max-nodes")
    }

    fn ack(&self, rejections: Vec<Rejection>) -> ReportAck {
        ReportAck {
            sequence_number: self.acknowledged,
            durable: self.parts.store.is_durable(),
            rejections,
        }
    }
}

/// Counts a stream that ends with `status`. One that the network or the agent ended was not refused.
pub(super) fn count_refusal(parts: &Parts, node: Option<&str>, status: &Status) {
    use Code::{InvalidArgument, PermissionDenied, ResourceExhausted, Unauthenticated};
    if matches!(
        status.code(),
        InvalidArgument | PermissionDenied | ResourceExhausted | Unauthenticated
    ) {
        parts.register.count_rejected_stream();
        let reason = status.message();
        tracing::debug!(node, reason, "stream refused");
        if let Some(times) = parts.refusals.happens() {
            tracing::warn!(
                node,
                reason,
                times,
                "streams are refused, this was the last"
            );
        }
    }
}

/// What tonic says of a message that it could not decode, in the terms of this API.
fn malformed(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => {
            let problem = format!("a message must not be larger than {MAX_MESSAGE_SIZE} bytes");
            Status::resource_exhausted(problem)
        }
        Code::Internal => {
            Status::invalid_argument(format!("malformed message: {}", status.message()))
        }
        _ => status,
    }
}
