//! One agent's stream, from its first batch to its end.
//!
//! A batch is read only once the acknowledgement of the one before was taken, so an agent that does not read costs nothing.

use std::sync::Arc;

use futures::{Stream, stream};
use nodegrace_proto::v1::{AgentInstance, Rejection, ReportAck, ReportBatch};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use super::{
    convert::{self, Converted},
    envelope::Envelope,
    limits::{MAX_MESSAGE_SIZE, MAX_RECORDS},
};
use crate::aggregator::Parts;

/// One agent's stream.
pub(super) struct Session {
    parts: Arc<Parts>,
    batches: Streaming<ReportBatch>,
    /// What the first batch established. Absent: it has not come yet.
    agent: Option<Connected>,
    /// Every record up to this number is kept.
    acknowledged: u64,
    shutdown: CancellationToken,
    stopping: bool,
    /// Its place among the streams that may be open.
    _permit: OwnedSemaphorePermit,
}

impl Session {
    pub(super) fn new(
        parts: Arc<Parts>,
        batches: Streaming<ReportBatch>,
        permit: OwnedSemaphorePermit,
        shutdown: CancellationToken,
    ) -> Self {
        Self {
            parts,
            batches,
            agent: None,
            acknowledged: 0,
            shutdown,
            stopping: false,
            _permit: permit,
        }
    }

    /// The acknowledgements, one for each batch, and the error that ends the stream if one does.
    pub(super) fn acks(self) -> impl Stream<Item = Result<ReportAck, Status>> + Send {
        stream::unfold(Some(self), async |session| session?.next().await)
    }

    /// The next acknowledgement, and the session when it goes on after it.
    async fn next(mut self) -> Option<(Result<ReportAck, Status>, Option<Self>)> {
        if self.stopping {
            let status = Status::unavailable("the aggregator stops");
            return Some((Err(status), None));
        }
        let batch = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => {
                self.stopping = true;
                return Some((Ok(self.ack(Vec::new())), Some(self)));
            }
            batch = self.batches.message() => batch.map_err(malformed).transpose()?,
        };
        match batch.and_then(|batch| self.take(batch)) {
            Ok(ack) => Some((Ok(ack), Some(self))),
            Err(status) => {
                self.count_refusal(&status);
                Some((Err(status), None))
            }
        }
    }

    /// Keeps what is right in `batch`.
    fn take(&mut self, batch: ReportBatch) -> Result<ReportAck, Status> {
        let first = self.agent.as_ref().map(|agent| &agent.first);
        let envelope = Envelope::of(&batch, first)?;
        let sent = convert::record_count(&batch);
        if sent > MAX_RECORDS {
            let problem = format!("a batch must not hold more than {MAX_RECORDS} records");
            return Err(Status::resource_exhausted(problem));
        }
        let Parts {
            register, clock, ..
        } = &*self.parts;
        if self.agent.is_none() {
            let instance = batch.agent.clone().unwrap_or_default();
            self.agent = Some(Connected::open(
                Arc::clone(&self.parts),
                &envelope,
                instance,
            )?);
        }
        let Converted {
            report,
            news,
            rejections,
            highest,
        } = convert::batch(envelope, batch);
        let refused = sent - report.records.len();
        if refused > 0 {
            tracing::debug!(node = &*report.node, refused, "records refused");
        }
        register.report(report, news, refused, clock.now());
        self.acknowledged = self.acknowledged.max(highest);
        Ok(self.ack(rejections))
    }

    /// A stream that the network or the agent ended was not refused.
    fn count_refusal(&self, status: &Status) {
        if matches!(
            status.code(),
            Code::InvalidArgument | Code::ResourceExhausted
        ) {
            self.parts.register.count_rejected_stream();
            let node = self.agent.as_ref().map(|agent| &*agent.first.node);
            tracing::warn!(node, reason = status.message(), "stream refused");
        }
    }

    fn ack(&self, rejections: Vec<Rejection>) -> ReportAck {
        ReportAck {
            sequence_number: self.acknowledged,
            durable: false,
            rejections,
        }
    }
}

/// An agent that the register knows to be connected, until this is dropped.
struct Connected {
    parts: Arc<Parts>,
    /// Envelope of the first batch.
    first: Envelope,
}

impl Connected {
    fn open(parts: Arc<Parts>, first: &Envelope, instance: AgentInstance) -> Result<Self, Status> {
        let known = parts
            .register
            .connect(&first.node, &first.agent, instance, parts.clock.now());
        if !known {
            return Err(Status::resource_exhausted(
                "too many nodes for this aggregator",
            ));
        }
        tracing::debug!(node = &*first.node, "agent connected");
        Ok(Self {
            parts,
            first: first.clone(),
        })
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let Envelope { node, agent, .. } = &self.first;
        tracing::debug!(node = &**node, "agent disconnected");
        let Parts {
            register, clock, ..
        } = &*self.parts;
        register.disconnect(node, agent, clock.now());
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
