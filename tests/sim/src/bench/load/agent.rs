//! One agent: its kubelet beats, it samples, it reports and waits for the acknowledgement, as the real one does.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use nodegrace_proto::v1::{
    AgentInstance, Channel as Way, ReportAck, ReportBatch, ingest_client::IngestClient,
};
use prost::Message as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Streaming, transport::Channel};

use super::{
    Load,
    batch::{self, Moment},
};

/// The kubelet's and the agent's own defaults.
pub(super) const LEASE: f64 = 10.0;
const JITTER: f64 = 0.04;
const STATUS: f64 = 300.0;
const SAMPLE: f64 = 10.0;
/// How soon after a batch the next one may follow: what comes sooner travels with it.
const COALESCE: Duration = Duration::from_millis(50);
/// Of what happened in the past: when it began.
const PAST: Duration = Duration::from_secs(100_000);
/// Batches of it under way at once on one stream.
const WINDOW: usize = 4;
/// One node in so many is in trouble, one of its renewals in so many is held up, for up to so many seconds.
const TROUBLED: u32 = 20;
const HELD_UP: f64 = 0.05;
const MOST_HELD_UP: f64 = 45.0;

/// An agent whose stream is open.
pub(super) struct Agent {
    pub(super) number: u32,
    pub(super) node: String,
    instance: AgentInstance,
    /// Number of its last record.
    sequence: u64,
    renewals: u64,
    pub(super) random: StdRng,
    batches: mpsc::Sender<Box<ReportBatch>>,
    acks: Streaming<ReportAck>,
    pub(super) load: Arc<Load>,
}

/// When the next of each is due, since boot.
struct Due {
    lease: Duration,
    status: Duration,
    sample: Duration,
}

impl Agent {
    /// Opens its stream and says its first words.
    pub(super) async fn open(
        number: u32,
        mut client: IngestClient<Channel>,
        load: Arc<Load>,
    ) -> anyhow::Result<Self> {
        let (batches, outgoing) = mpsc::channel::<Box<ReportBatch>>(WINDOW);
        let outgoing = tokio_stream::StreamExt::map(ReceiverStream::new(outgoing), |batch| *batch);
        let acks = client.report(outgoing).await?.into_inner();
        let started = Moment::now(&load.clock).before(if load.role.flood {
            PAST
        } else {
            Duration::from_secs(1)
        });
        let mut agent = Self {
            number,
            node: node_name(number),
            instance: batch::instance(number, started),
            sequence: 0,
            renewals: 84_312,
            random: StdRng::seed_from_u64(number.into()),
            batches,
            acks,
            load,
        };
        let mut first = agent.envelope();
        batch::introduce(&mut first, number);
        for way in [Way::Lease, Way::NodeStatus] {
            agent.beat(&mut first, way, started);
        }
        agent.send(first).await?;
        Ok(agent)
    }

    /// Goes on until the process ends.
    pub(super) async fn live(self) -> anyhow::Result<()> {
        if self.load.role.flood {
            self.flood().await
        } else {
            self.beat_by_beat().await
        }
    }

    /// Everything when it is due.
    async fn beat_by_beat(mut self) -> anyhow::Result<()> {
        let clock = self.load.clock.clone();
        let start = clock.now();
        let mut spread =
            |seconds: f64| start + Duration::from_secs_f64(seconds * self.random.random::<f64>());
        let mut due = Due {
            lease: spread(LEASE),
            status: spread(STATUS),
            sample: spread(SAMPLE),
        };
        if self.load.role.heartbeats_only {
            due.sample = Duration::MAX;
        }
        let mut gap_from = self.gap_from(start);
        let mut may_send = start;
        loop {
            let next = due.lease.min(due.status).min(due.sample);
            clock.sleep_until(next).await;
            let arrived = Moment::now(&clock);
            self.load.tally.late(arrived.monotonic.saturating_sub(next));
            // Not at all after silence.
            clock.sleep_until(may_send).await;
            let mut batch = self.envelope();
            let now = clock.now();
            let mut probe = None;
            if due.lease <= now {
                // What came meanwhile arrived when it was due.
                let at = at(due.lease, arrived);
                self.renewals += 1;
                self.beat(&mut batch, Way::Lease, at);
                self.mirror(at).await;
                probe = Some(at);
                let usual = LEASE * (1.0 + JITTER * self.random.random::<f64>());
                let until_next = if gap_from.is_some_and(|from| due.lease >= from) {
                    gap_from = None;
                    let length = 15.0 + 45.0 * self.random.random::<f64>();
                    let began = at.wall.duration_since(std::time::UNIX_EPOCH)?;
                    let gap = (self.number, began.as_secs_f64(), length);
                    self.load.tally.lock().gaps.push(gap);
                    // The status is posted by the same kubelet.
                    due.status = due.status.max(due.lease + Duration::from_secs_f64(length));
                    length
                } else {
                    usual + self.held_up()
                };
                due.lease += Duration::from_secs_f64(until_next);
            }
            if due.status <= now {
                let at = at(due.status, arrived);
                self.beat(&mut batch, Way::NodeStatus, at);
                due.status += Duration::from_secs_f64(STATUS);
            }
            if due.sample <= now {
                let at = at(due.sample, arrived);
                self.sample(&mut batch, at);
                due.sample += Duration::from_secs_f64(SAMPLE);
            }
            if let Some(at) = probe {
                self.probe(at);
            }
            may_send = clock.now() + COALESCE;
            self.send(batch).await?;
        }
    }

    /// What happened in the past, one record after the other, as fast as it is taken.
    async fn flood(mut self) -> anyhow::Result<()> {
        // Or those that are not connected yet would wait behind it.
        self.load.together.cancelled().await;
        let mut at = Moment::now(&self.load.clock).before(PAST);
        let mut under_way = std::collections::VecDeque::new();
        loop {
            while under_way.len() < WINDOW {
                let mut batch = self.envelope();
                at.monotonic += Duration::from_secs(5);
                at.wall += Duration::from_secs(5);
                if self.sequence.is_multiple_of(2) {
                    self.renewals += 1;
                    self.beat(&mut batch, Way::Lease, at);
                } else {
                    self.sample(&mut batch, at);
                }
                under_way.push_back((self.load.clock.now(), self.sequence, batch.encoded_len()));
                let sent = self.batches.send(Box::new(batch)).await;
                sent.map_err(|_| anyhow::anyhow!("the stream was closed"))?;
            }
            let ack = self.acks.message().await?.context("the stream ended")?;
            let now = self.load.clock.now();
            let mut tally = self.load.tally.lock();
            while let Some((sent, _, bytes)) =
                under_way.pop_front_if(|(_, last, _)| *last <= ack.sequence_number)
            {
                tally.ack.note(now.saturating_sub(sent));
                tally.batches += 1;
                tally.records += 1;
                tally.bytes += bytes as u64;
            }
        }
    }

    fn envelope(&self) -> ReportBatch {
        batch::envelope(&self.node, &self.instance, Moment::now(&self.load.clock))
    }

    /// When its one gap may begin. Absent: it has none.
    fn gap_from(&mut self, start: Duration) -> Option<Duration> {
        let role = &self.load.role;
        let within = role.gaps_within as f64 * self.random.random::<f64>();
        let from = Duration::from_secs(role.gaps_from) + Duration::from_secs_f64(within);
        (self.random.random::<f64>() < role.gaps).then_some(start + from)
    }

    /// How long a renewal is held up, in seconds: of most nodes never.
    fn held_up(&mut self) -> f64 {
        let troubled = self.load.role.gaps == 0.0 && self.number.is_multiple_of(TROUBLED);
        if troubled && self.random.random_bool(HELD_UP) {
            MOST_HELD_UP * self.random.random::<f64>()
        } else {
            0.0
        }
    }

    fn number_one(&mut self, batch: &mut ReportBatch) -> u64 {
        self.sequence += 1;
        if batch.first_sequence_number == 0 {
            batch.first_sequence_number = self.sequence;
        }
        self.sequence
    }

    fn beat(&mut self, batch: &mut ReportBatch, way: Way, at: Moment) {
        let number = self.number_one(batch);
        batch.heartbeats.push(batch::heartbeat(way, number, at));
    }

    fn sample(&mut self, batch: &mut ReportBatch, at: Moment) {
        let number = self.number_one(batch);
        let sample = self.load.template.sample(number, at, self.renewals);
        batch.samples.push(sample);
    }

    /// Sends a batch and waits for its acknowledgement.
    async fn send(&mut self, batch: ReportBatch) -> anyhow::Result<()> {
        let (bytes, records) = (
            batch.encoded_len(),
            batch.heartbeats.len() + batch.samples.len(),
        );
        let sent = self.load.clock.now();
        // A stream that has ended says why in its acknowledgements.
        let _ = self.batches.send(Box::new(batch)).await;
        self.acks.message().await?.context("the stream ended")?;
        let took = self.load.clock.now().saturating_sub(sent);
        let mut tally = self.load.tally.lock();
        tally.ack.note(took);
        tally.batches += 1;
        tally.records += records as u64;
        tally.bytes += bytes as u64;
        Ok(())
    }
}

/// The name of a node by its number.
pub(in super::super) fn node_name(number: u32) -> String {
    format!(
        "ip-10-{}-{}-{}.internal",
        number >> 16,
        (number >> 8) & 255,
        number & 255
    )
}

/// The moment that was planned, or this one where it has passed already.
fn at(planned: Duration, arrived: Moment) -> Moment {
    if planned <= arrived.monotonic {
        arrived
    } else {
        let later = planned.saturating_sub(arrived.monotonic);
        Moment {
            monotonic: planned,
            wall: arrived.wall + later,
        }
    }
}
