//! One stream to an aggregator, from its first batch to its last acknowledgement. It is about one run of the agent.

use std::{future::pending, mem, time::Duration};

use http::{HeaderValue, header::AUTHORIZATION};
use nodegrace_proto::{
    HISTORY_ID,
    v1::{Losses, ReportAck, ReportBatch},
};
use nodegrace_spool::{Cursor, HistoryId};
use tokio::{
    sync::mpsc::{self, Permit},
    time::{Instant, sleep_until, timeout},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, metadata::MetadataMap};
use tracing::{error, info};

use super::{Standing, Uplink, under_way::UnderWay};
use crate::{
    journal::{Next, Reader},
    wire,
};

/// Shortest time between a batch and the next one that is not full: what comes after silence goes at once, and what comes soon after that
/// travels together.
const COALESCE: Duration = Duration::from_millis(50);
/// How long an aggregator that has everything may take to end a stream that we ended, in real time: it is a courtesy.
const FAREWELL: Duration = Duration::from_millis(500);

/// How a session ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The journal is sealed and all of it acknowledged.
    Drained,
    /// Everything that was for this stream is acknowledged; the next one is about a later run of the agent, or shows a new token.
    RunDelivered,
    /// It broke.
    Broken {
        /// True when a batch was acknowledged before.
        worked: bool,
        /// Why.
        trouble: Trouble,
    },
}

/// Why a stream broke.
#[derive(Debug)]
pub(super) struct Trouble {
    /// In words.
    pub(super) error: String,
    /// What the aggregator thinks of what was sent over the stream. `None`: it did not say, or was not even reached.
    pub(super) verdict: Option<Code>,
}

impl From<String> for Trouble {
    fn from(error: String) -> Self {
        let verdict = None;
        Self { error, verdict }
    }
}

impl From<&str> for Trouble {
    fn from(error: &str) -> Self {
        error.to_owned().into()
    }
}

impl From<Status> for Trouble {
    fn from(status: Status) -> Self {
        Self {
            error: wire::status_line(&status),
            verdict: Some(status.code()),
        }
    }
}

/// How far a session has come.
struct Session<'a> {
    uplink: &'a Uplink,
    standing: &'a mut Standing,
    reader: Reader,
    under_way: UnderWay,
    /// True once a batch was acknowledged.
    worked: bool,
    /// When the last batch went, on the agent's clock, or the stream began.
    sent: Duration,
    /// When the next batch goes, on the agent's clock.
    due: Duration,
    /// True when the last batch took everything there was.
    complete: bool,
    /// True when the stream has no more to send, and another goes on: everything of the stream's run was sent and later ones
    /// have records, or there is a new token to show.
    run_sent: bool,
    /// What the stream showed, as the Authorization header. Absent: nothing.
    shown: Option<HeaderValue>,
    /// When the stream is given up if nothing is acknowledged. `None`: nothing is under way.
    deadline: Option<Instant>,
}

impl Uplink {
    /// Opens a stream and delivers over it until it breaks, until everything of an earlier run is delivered, or until the
    /// journal is `sealed` and all of it delivered.
    pub(super) async fn session(
        &self,
        sealed: &CancellationToken,
        standing: &mut Standing,
    ) -> Ending {
        let replica = self.replica.clone();
        let connected = self
            .shared
            .journal
            .aside(move |journal| journal.connect(&replica));
        let reader = match connected.await {
            Ok(reader) => reader,
            Err(error) => {
                return Ending::Broken {
                    worked: false,
                    trouble: error.to_string().into(),
                };
            }
        };
        let mut session = Session {
            uplink: self,
            standing,
            reader,
            under_way: UnderWay::default(),
            worked: false,
            sent: self.shared.clock.now(),
            due: self.shared.clock.now(),
            complete: false,
            run_sent: false,
            shown: self.shared.authorization(),
            deadline: None,
        };
        match session.run(sealed).await {
            Ok(()) if session.run_sent => Ending::RunDelivered,
            Ok(()) => Ending::Drained,
            Err(trouble) => Ending::Broken {
                worked: session.worked,
                trouble,
            },
        }
    }
}

impl Session<'_> {
    async fn run(&mut self, sealed: &CancellationToken) -> Result<(), Trouble> {
        let mut changes = self.uplink.shared.journal.changes();
        let patience = self.uplink.shared.timeouts.acknowledgement;
        // One batch waits for the connection; the rest waits in the spool. Boxed, for a channel sets whole blocks of places
        // apart, two or three of them in the course of a stream.
        let (sender, outgoing) = mpsc::channel::<Box<ReportBatch>>(1);
        let outgoing = ReceiverStream::new(outgoing).map(|batch| *batch);
        let mut client = self.uplink.client.clone();
        let mut request = Request::new(outgoing);
        if let Some(shown) = &self.shown {
            let headers = [(AUTHORIZATION, shown.clone())].into_iter().collect();
            *request.metadata_mut() = MetadataMap::from_headers(headers);
        }
        let opening = client.report(request);
        let acks = match timeout(patience, opening).await {
            Ok(Ok(answer)) => answer,
            // This is about the stream, such as that there are too many of them: no verdict on a batch.
            Ok(Err(status)) => return Err(wire::status_line(&status).into()),
            Err(_) => return Err("the aggregator does not answer".into()),
        };
        // It answers before it reads anything: what goes first depends on whose history this is.
        self.identify(history_id(acks.metadata())).await;
        let mut acks = acks.into_inner();

        let mut sender = Some(sender);
        let mut sealing = false;
        loop {
            let all_sent = self.run_sent || (sealing && self.complete);
            if all_sent {
                // Ends the request stream; the acknowledgements of what is under way still come.
                sender = None;
                if self.under_way.is_empty() {
                    // The aggregator ends its side, too. Whatever it does instead, it has everything.
                    let _ = timeout(FAREWELL, acks.message()).await;
                    return Ok(());
                }
            }
            let open = sender.as_ref().filter(|_| self.under_way.has_room());
            tokio::select! {
                // What came while the last batch waited for a disk comes first: it may have waited longer than the deadline.
                biased;
                ack = acks.message() => match ack {
                    Ok(Some(ack)) => self.take(&ack),
                    Ok(None) => return Err("the aggregator ended the stream".into()),
                    Err(status) => return Err(status.into()),
                },
                () = sealed.cancelled(), if !sealing => {
                    sealing = true;
                    self.complete = false;
                    self.due = self.uplink.shared.clock.now();
                }
                () = at(self.deadline) => return Err("the aggregator does not acknowledge".into()),
                permit = self.ready(open) => {
                    // Whatever was written until now travels with this batch.
                    changes.mark_unchanged();
                    self.send(permit.ok_or("the stream was closed")?).await?;
                }
                Ok(()) = changes.changed(), if self.complete && !sealing => {
                    self.complete = false;
                    self.due = self.due.min(self.sent + COALESCE);
                }
            }
        }
    }

    /// Starts over where the aggregator keeps another history than the one that acknowledged at its address before.
    async fn identify(&mut self, history: Option<HistoryId>) {
        let replica = self.uplink.replica.clone();
        let journal = &self.uplink.shared.journal;
        let anew = journal.aside(move |journal| journal.identify(&replica, history));
        if let Some(reader) = anew.await {
            info!("another history is kept there now, it gets all that is held");
            self.reader = reader;
            // What was refused was refused by the other one.
            self.standing.refused = 0;
        }
    }

    /// Waits until the next batch is due and may go. `None`: the stream is closed.
    async fn ready<'s>(
        &self,
        open: Option<&'s mpsc::Sender<Box<ReportBatch>>>,
    ) -> Option<Permit<'s, Box<ReportBatch>>> {
        let Some(sender) = open else {
            return pending().await;
        };
        let clock = &self.uplink.shared.clock;
        if clock.now() < self.due {
            clock.sleep_until(self.due).await;
        }
        sender.reserve().await.ok()
    }

    /// Sends what comes next, if it is of this stream's run.
    async fn send(&mut self, permit: Permit<'_, Box<ReportBatch>>) -> Result<(), String> {
        let shared = &self.uplink.shared;
        if shared.authorization() != self.shown {
            // The aggregator would end the stream when the old one ends.
            self.run_sent = true;
            return Ok(());
        }
        let (mut reader, limits) = (self.reader.clone(), self.standing.limits(shared.limits));
        shared.journal.reads();
        let reading = shared.journal.aside(move |journal| {
            let next = journal.next(&mut reader, limits);
            (reader, next)
        });
        let (reader, next) = reading.await;
        self.reader = reader;
        let contents = match next {
            Ok(Next::Batch(contents)) => *contents,
            Ok(Next::LaterRun) => {
                self.run_sent = true;
                return Ok(());
            }
            Err(error) => return Err(format!("the spool cannot be read: {error}")),
        };
        let now = shared.clock.now();
        self.sent = now;
        self.complete = contents.complete;
        self.due = if contents.complete {
            now + shared.report_interval
        } else {
            now
        };
        let unreadable = contents.unreadable as u64;
        let refused = self.standing.refuse(self.reader.run(), unreadable);
        if let Some(end) = self.under_way.push(&contents) {
            self.acknowledge(end);
        }
        let mut batch = contents.batch;
        if batch.replay && contents.records == 0 {
            // Nothing of it can be read: it would say nothing.
            return Ok(());
        }
        batch.node_name.clone_from(&shared.node_name);
        batch.agent.get_or_insert_with(|| shared.agent.clone());
        if refused > 0 {
            let losses = batch.losses.get_or_insert_with(Losses::default);
            losses.rejected_records = refused;
        }
        permit.send(Box::new(batch));
        if !self.under_way.is_empty() && self.deadline.is_none() {
            self.deadline = Some(Instant::now() + shared.timeouts.acknowledgement);
        }
        Ok(())
    }

    fn take(&mut self, ack: &ReportAck) {
        if !mem::replace(&mut self.worked, true) {
            info!("the aggregator acknowledges");
            self.standing.condition.works();
        }
        let refused = ack
            .rejections
            .iter()
            .filter(|rejection| rejection.sequence_number != 0)
            .count();
        self.standing.refuse(self.reader.run(), refused as u64);
        if let Some(first) = ack.rejections.first() {
            let (field, reason) = (&first.field, &first.reason);
            error!(
                rejections = ack.rejections.len(),
                field, reason, "the aggregator refused records"
            );
        }
        if let Some(end) = self.under_way.acknowledged(ack.sequence_number) {
            self.acknowledge(end);
        }
        self.deadline = (!self.under_way.is_empty())
            .then(|| Instant::now() + self.uplink.shared.timeouts.acknowledgement);
    }

    fn acknowledge(&self, end: Cursor) {
        let uplink = self.uplink;
        uplink.shared.journal.acknowledge(&uplink.replica, end);
    }
}

/// The id of the history behind an answer. `None`: the aggregator is of a version that does not say.
fn history_id(answer: &MetadataMap) -> Option<HistoryId> {
    let digits = answer.get(HISTORY_ID)?.to_str().ok()?;
    HistoryId::new(u128::from_str_radix(digits, 16).ok()?)
}

/// Waits until `deadline`; for ever when there is none.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
