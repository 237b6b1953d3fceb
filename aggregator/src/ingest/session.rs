//! One agent's stream, from its first batch to its end.
//!
//! Batches are read only once those before are on disk and their acknowledgements were taken: neither a slow disk nor an agent
//! that does not read costs more memory than a few batches. Those that are there at once wait for the disk together.

use std::{collections::VecDeque, mem, sync::Arc, time::Duration};

use futures::{FutureExt as _, Stream, stream};
use nodegrace_proto::v1::{Rejection, ReportAck, ReportBatch};
use prost::Message as _;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::{
    badge::Badge,
    convert::{self, Converted},
    envelope::Envelope,
    limits::{MAX_MESSAGE_SIZE, MAX_RECORDS},
    pace::Pace,
    stream_places::StreamPlace,
};
use crate::{
    aggregator::Parts,
    register::{Batch, OpenStream},
    store::{Keeping, Kept},
};

/// Batches of a stream that wait for the disk together: an acknowledgement is little work among others that leave with it, and
/// much by itself.
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
    /// Acknowledgements that are due.
    acks: VecDeque<ReportAck>,
    /// What ends the stream once they are given.
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

/// A batch that was found right and handed in.
struct HandedIn {
    node: Arc<str>,
    /// The highest number it was sent with; 0: it has no records.
    highest: u64,
    rejections: Vec<Rejection>,
    bytes: usize,
    keeping: Keeping,
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
            acks: VecDeque::new(),
            end: None,
            shutdown,
            stopping: false,
            _place: place,
        }
    }

    /// The acknowledgements, one for each batch, and the error that ends the stream if one does.
    pub(super) fn acks(self) -> impl Stream<Item = Result<ReportAck, Status>> + Send {
        // Boxed: a stream has room for what it waits with and for what it waits for, and would hold the session twice.
        let session = Some(Box::new(self));
        stream::unfold(session, async |session| session?.next().await)
    }

    /// The next acknowledgement, and the session when it goes on after it.
    async fn next(mut self: Box<Self>) -> Option<(Result<ReportAck, Status>, Option<Box<Self>>)> {
        if let Some(ack) = self.acks.pop_front() {
            return Some((Ok(ack), Some(self)));
        }
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
        match batch {
            // Boxed: a stream that waits for its next batch needs no room for what becomes of one.
            Ok(batch) => Box::pin(self.take(batch)).await,
            Err(status) => self.end = Some(End::Refused(status)),
        }
        match (self.acks.pop_front(), self.end.take()) {
            (Some(ack), end) => {
                self.end = end;
                Some((Ok(ack), Some(self)))
            }
            (None, Some(End::Refused(status))) => Some((Err(self.refused(status)), None)),
            (None, _) => None,
        }
    }

    /// Keeps what is right in `batch`, and in those behind it that are there already.
    async fn take(&mut self, batch: ReportBatch) {
        let mut waiting = VecDeque::with_capacity(TOGETHER);
        let (mut next, mut bytes) = (Some(batch), 0);
        while let Some(batch) = next.take() {
            match self.hand_in(batch).await {
                Ok(handed_in) => {
                    bytes += handed_in.bytes;
                    waiting.push_back(handed_in);
                }
                Err(status) => {
                    self.end = Some(End::Refused(status));
                    break;
                }
            }
            // The first one opens the stream, which others must find open; and whoever has to wait waits after each.
            let alone = self.open.is_none() || !self.wait.is_zero();
            let full = waiting.len() == TOGETHER || bytes > TOGETHER_BYTES;
            if alone || full || !self.parts.store.has_room_for_more() {
                break;
            }
            match self.batches.message().now_or_never() {
                None => {}
                Some(Ok(Some(batch))) => next = Some(batch),
                Some(Ok(None)) => self.end = Some(End::Said),
                Some(Err(status)) => self.end = Some(End::Refused(malformed(status))),
            }
        }
        for handed_in in waiting {
            match self.kept(handed_in).await {
                Ok(ack) => self.acks.push_back(ack),
                Err(status) => {
                    self.end = Some(End::Refused(status));
                    break;
                }
            }
        }
    }

    /// Waits until a batch is kept; gives its acknowledgement.
    async fn kept(&mut self, handed_in: HandedIn) -> Result<ReportAck, Status> {
        let HandedIn {
            node,
            highest,
            rejections,
            bytes: _,
            keeping,
        } = handed_in;
        match keeping.outcome().await? {
            Kept::NoRoom => return Err(self.no_room(&node)),
            Kept::Applied(opened) => self.open = self.open.take().or(opened),
        }
        self.acknowledged = self.acknowledged.max(highest);
        Ok(self.ack(rejections))
    }

    /// Notes that the stream ends with `status`.
    fn refused(&self, status: Status) -> Status {
        let node = self.first.as_ref().map(|first| &*first.node);
        count_refusal(&self.parts, node, &status);
        status
    }

    /// Hands in what is right in `batch`.
    async fn hand_in(&mut self, mut batch: ReportBatch) -> Result<HandedIn, Status> {
        // Before anything is waited for: what is held meanwhile may be large.
        let sent = convert::record_count(&batch);
        if sent > MAX_RECORDS {
            let problem = format!("a batch must not hold more than {MAX_RECORDS} records");
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
            return Err(self.no_room(&envelope.node));
        }
        let opens = self.first.is_none() || (self.open.is_none() && !batch.replay);
        self.first.get_or_insert_with(|| envelope.clone());
        // The log's own word on what it left out.
        batch.sent_records = None;
        if self.acknowledged > 0 && store.is_behind() {
            store.status().count_shed(convert::shed_samples(&mut batch));
        }
        let wire = store.encode(&batch);
        let (sent, instance) = (
            convert::record_count(&batch),
            batch.agent.clone().filter(|_| opens),
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
            register.count_rejected_records(refused);
        }
        let node = Arc::clone(&report.node);
        let batch = Batch {
            report,
            news,
            instance,
            received: timeline.now(),
        };
        Ok(HandedIn {
            node,
            highest,
            rejections,
            bytes,
            keeping: store.hand_in(&self.parts, batch, wire).await?,
        })
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

    fn no_room(&self, node: &str) -> Status {
        if let Some(times) = self.parts.refused.nodes.count() {
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
