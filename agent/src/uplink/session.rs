//! One stream to the aggregator, from its first batch to its last acknowledgement.

use std::{future::pending, time::Duration};

use nodegrace_proto::v1::{ReportAck, ReportBatch};
use tokio::{
    sync::mpsc::{self, Permit},
    time::{Instant, sleep_until, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Uplink;
use crate::{condition::Condition, journal::Cursor, wire};

/// How long a change waits for others to travel with it: a Lease and a status post often come together.
const COALESCE: Duration = Duration::from_millis(50);
/// Most records under way without an acknowledgement. An aggregator that is slow gets no more: what waits in the journal
/// can still be weighed and dropped there.
const WINDOW: u64 = 1024;

/// How a session ended.
pub(super) enum Ending {
    /// The journal is sealed and all of it acknowledged.
    Drained,
    /// It broke.
    Broken {
        /// True when a batch was acknowledged before.
        worked: bool,
        /// Why, in words.
        error: String,
    },
}

/// How far a session has come.
struct Session<'a> {
    uplink: &'a Uplink,
    cursor: Cursor,
    /// Every record up to this number was acknowledged.
    acknowledged: u64,
    /// True once a batch was acknowledged.
    worked: bool,
    /// When the next batch goes, on the agent's clock.
    due: Duration,
    /// True when the last batch took everything there was.
    complete: bool,
    /// When the stream is given up if nothing is acknowledged. `None`: nothing is under way.
    deadline: Option<Instant>,
}

impl Uplink {
    /// Opens a stream and delivers over it until it breaks, or until the journal is `sealed` and all of it delivered.
    /// `condition` is that of all sessions: it is well once this one works.
    pub(super) async fn session(
        &self,
        sealed: &CancellationToken,
        condition: &mut Condition,
    ) -> Ending {
        let acknowledged = self.journal.acknowledged();
        let mut session = Session {
            uplink: self,
            cursor: Cursor::after(acknowledged),
            acknowledged,
            worked: false,
            due: self.clock.now(),
            complete: false,
            deadline: None,
        };
        match session.run(sealed, condition).await {
            Ok(()) => Ending::Drained,
            Err(error) => Ending::Broken {
                worked: session.worked,
                error,
            },
        }
    }
}

impl Session<'_> {
    async fn run(
        &mut self,
        sealed: &CancellationToken,
        condition: &mut Condition,
    ) -> Result<(), String> {
        let mut changes = self.uplink.journal.changes();
        // One batch waits for the connection; the rest waits in the journal.
        let (sender, outgoing) = mpsc::channel(1);
        // The first one goes ahead of the answer: an aggregator may look at it before it answers.
        let permit = sender.try_reserve().map_err(|error| error.to_string())?;
        self.send(permit);
        let mut client = self.uplink.client.clone();
        let opening = client.report(ReceiverStream::new(outgoing));
        let mut acks = match timeout(self.uplink.timeouts.acknowledgement, opening).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => return Err(wire::status_line(&status)),
            Err(_) => return Err("the aggregator does not answer".into()),
        };

        let mut sender = Some(sender);
        let mut sealing = false;
        loop {
            if sealing && self.complete {
                if self.acknowledged >= self.cursor.sequence {
                    return Ok(());
                }
                // Ends the request stream; the acknowledgements of what is under way still come.
                sender = None;
            }
            let open = sender.as_ref().filter(|_| self.under_way() < WINDOW);
            tokio::select! {
                ack = acks.message() => match ack {
                    Ok(Some(ack)) => {
                        if !self.worked {
                            info!("the aggregator acknowledges");
                            condition.works();
                        }
                        self.take(&ack);
                    }
                    Ok(None) => return Err("the aggregator ended the stream".into()),
                    Err(status) => return Err(wire::status_line(&status)),
                },
                permit = self.ready(open) => {
                    // Whatever was written until now travels with this batch.
                    changes.mark_unchanged();
                    self.send(permit.ok_or("the stream was closed")?);
                }
                Ok(()) = changes.changed(), if self.complete && !sealing => {
                    self.complete = false;
                    self.due = self.due.min(self.uplink.clock.now() + COALESCE);
                }
                () = sealed.cancelled(), if !sealing => {
                    sealing = true;
                    self.complete = false;
                    self.due = self.uplink.clock.now();
                }
                () = at(self.deadline) => return Err("the aggregator does not acknowledge".into()),
            }
        }
    }

    /// Waits until the next batch is due and may go. `None`: the stream is closed.
    async fn ready<'s>(
        &self,
        open: Option<&'s mpsc::Sender<ReportBatch>>,
    ) -> Option<Permit<'s, ReportBatch>> {
        let Some(sender) = open else {
            return pending().await;
        };
        self.uplink.clock.sleep_until(self.due).await;
        sender.reserve().await.ok()
    }

    fn send(&mut self, permit: Permit<'_, ReportBatch>) {
        let (batch, complete) = self.uplink.next_batch(&mut self.cursor);
        permit.send(batch);
        self.complete = complete;
        let now = self.uplink.clock.now();
        self.due = if complete {
            now + self.uplink.report_interval
        } else {
            now
        };
        if self.under_way() > 0 && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + self.uplink.timeouts.acknowledgement);
        }
    }

    fn take(&mut self, ack: &ReportAck) {
        self.worked = true;
        // What was never sent cannot have been kept.
        self.acknowledged = self
            .acknowledged
            .max(ack.sequence_number.min(self.cursor.sequence));
        let refused = ack
            .rejections
            .iter()
            .filter(|rejection| rejection.sequence_number != 0)
            .count();
        self.uplink
            .journal
            .acknowledge(self.acknowledged, refused as u64);
        if let Some(first) = ack.rejections.first() {
            let (field, reason) = (&first.field, &first.reason);
            error!(
                rejections = ack.rejections.len(),
                field, reason, "the aggregator refused records"
            );
        }
        self.deadline =
            (self.under_way() > 0).then(|| Instant::now() + self.uplink.timeouts.acknowledgement);
    }

    /// Records sent and not acknowledged, and those dropped between them.
    fn under_way(&self) -> u64 {
        self.cursor.sequence - self.acknowledged
    }
}

/// Waits until `deadline`; for ever when there is none.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
