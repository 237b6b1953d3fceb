//! An agent as the wire shows it.

use std::time::Duration;

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, ingest_client::IngestClient};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::World;

/// An agent with an open stream.
pub struct Agent {
    node: String,
    instance: v1::AgentInstance,
    clock: Clock,
    /// Number of its last record.
    pub sequence: u64,
    batches: mpsc::Sender<v1::ReportBatch>,
    acks: Streaming<v1::ReportAck>,
}

impl Agent {
    pub(super) async fn connect(
        world: &World,
        node: &str,
        token: Option<&str>,
    ) -> Result<Self, Status> {
        let (batches, acks) = open(world, token).await?;
        let clock = world.clock.clone();
        Ok(Self {
            node: node.to_owned(),
            instance: v1::AgentInstance {
                boot_id: format!("boot of {node}"),
                start_time: Some(clock.wall().into()),
                start_monotonic: Some(wire(clock.now())),
                version: "0.1.0".to_owned(),
            },
            clock,
            sequence: 0,
            batches,
            acks,
        })
    }

    /// A batch sent now that sees both channels and holds nothing else.
    pub fn batch(&self) -> v1::ReportBatch {
        let view = |channel: v1::Channel| v1::ChannelView {
            channel: channel.into(),
            visibility: v1::Visibility::Observed.into(),
            ..v1::ChannelView::default()
        };
        v1::ReportBatch {
            node_name: self.node.clone(),
            agent: Some(self.instance.clone()),
            sent_monotonic: Some(wire(self.clock.now())),
            sent_time: Some(self.clock.wall().into()),
            channel_views: vec![view(v1::Channel::Lease), view(v1::Channel::NodeStatus)],
            ..v1::ReportBatch::default()
        }
    }

    /// A batch with one renewal of the Lease, seen just now.
    pub fn beat(&mut self) -> v1::ReportBatch {
        self.sequence += 1;
        let heartbeat = v1::Heartbeat {
            sequence_number: self.sequence,
            channel: v1::Channel::Lease.into(),
            stamp_time: Some(self.clock.wall().into()),
            arrival_monotonic: Some(wire(self.clock.now())),
            arrival_time: Some(self.clock.wall().into()),
            resource_version: self.sequence.to_string(),
            ..v1::Heartbeat::default()
        };
        v1::ReportBatch {
            first_sequence_number: self.sequence,
            heartbeats: vec![heartbeat],
            ..self.batch()
        }
    }

    /// A batch that tells that neither channel was seen since `blind` ago, and that a renewal came meanwhile, at most `uncertain` ago.
    pub fn beat_after_blindness(
        &mut self,
        blind: Duration,
        uncertain: Duration,
    ) -> v1::ReportBatch {
        let first = self.sequence + 1;
        let spell = |(number, channel): (u64, v1::Channel)| v1::BlindSpell {
            sequence_number: first + number,
            channel: channel.into(),
            start_monotonic: Some(wire(self.clock.now() - blind)),
            end_monotonic: Some(wire(self.clock.now())),
            reason: v1::BlindReason::Connection.into(),
            resumed: true,
            ..v1::BlindSpell::default()
        };
        let channels = [v1::Channel::Lease, v1::Channel::NodeStatus];
        let spells: Vec<_> = (0..).zip(channels).map(spell).collect();
        self.sequence += spells.len() as u64;
        let mut batch = self.beat();
        for heartbeat in &mut batch.heartbeats {
            heartbeat.arrival_uncertainty = Some(wire(uncertain));
        }
        v1::ReportBatch {
            first_sequence_number: first,
            blind_spells: spells,
            ..batch
        }
    }

    /// A batch that tells of a change of Ready, seen just now.
    pub fn ready(&mut self, status: v1::ConditionStatus) -> v1::ReportBatch {
        self.sequence += 1;
        let change = v1::ReadyChange {
            sequence_number: self.sequence,
            status: status.into(),
            reason: format!("Ready{}", status.as_str_name()),
            transition_time: Some(self.clock.wall().into()),
            arrival_monotonic: Some(wire(self.clock.now())),
            arrival_time: Some(self.clock.wall().into()),
            baseline: false,
        };
        v1::ReportBatch {
            first_sequence_number: self.sequence,
            ready_changes: vec![change],
            ..self.batch()
        }
    }

    /// A batch with a sample nearly as large as may be.
    pub fn large_sample(&mut self) -> v1::ReportBatch {
        self.sequence += 1;
        let source = v1::SourceReport {
            source: v1::Source::Runtime.into(),
            outcome: v1::Outcome::Error.into(),
            reason: "x".repeat(250),
            ..v1::SourceReport::default()
        };
        let sample = v1::Sample {
            sequence_number: self.sequence,
            sample_monotonic: Some(wire(self.clock.now())),
            sample_time: Some(self.clock.wall().into()),
            sources: vec![source; 48],
            ..v1::Sample::default()
        };
        v1::ReportBatch {
            first_sequence_number: self.sequence,
            samples: vec![sample],
            ..self.batch()
        }
    }

    /// A batch with this sample, taken just now.
    pub fn sample(&mut self, sample: v1::Sample) -> v1::ReportBatch {
        self.sequence += 1;
        let sample = v1::Sample {
            sequence_number: self.sequence,
            sample_monotonic: Some(wire(self.clock.now())),
            sample_time: Some(self.clock.wall().into()),
            ..sample
        };
        v1::ReportBatch {
            first_sequence_number: self.sequence,
            samples: vec![sample],
            ..self.batch()
        }
    }

    /// The same agent with a new stream to `world`, which may be another run of the aggregator.
    pub async fn reconnect(self, world: &World) -> Self {
        let (batches, acks) = open(world, None).await.expect("an open stream");
        Self {
            batches,
            acks,
            ..self
        }
    }

    /// Sends a batch and waits for nothing.
    pub async fn post(&mut self, batch: v1::ReportBatch) {
        let _ = self.batches.send(batch).await;
    }

    /// Sends a batch and waits for its acknowledgement.
    pub async fn send(&mut self, batch: v1::ReportBatch) -> Result<v1::ReportAck, Status> {
        // A stream that has ended says why in its acks.
        let _ = self.batches.send(batch).await;
        self.ack().await
    }

    /// The next acknowledgement.
    pub async fn ack(&mut self) -> Result<v1::ReportAck, Status> {
        self.acks
            .message()
            .await
            .map(|ack| ack.expect("an ack or an error before the end"))
    }

    /// Renews the Lease `count` times, one every `period` from now on.
    pub async fn beats(&mut self, count: u64, period: Duration) {
        for _ in 0..count {
            self.clock.sleep(period).await;
            let batch = self.beat();
            self.send(batch).await.expect("an ack");
        }
    }
}

async fn open(
    world: &World,
    token: Option<&str>,
) -> Result<(mpsc::Sender<v1::ReportBatch>, Streaming<v1::ReportAck>), Status> {
    let (batches, stream) = mpsc::channel(16);
    let mut request = Request::new(ReceiverStream::new(stream));
    if let Some(token) = token {
        let token = format!("Bearer {token}").parse().expect("a header");
        request.metadata_mut().insert("authorization", token);
    }
    let acks = IngestClient::new(world.channel()).report(request).await?;
    Ok((batches, acks.into_inner()))
}

fn wire(duration: Duration) -> prost_types::Duration {
    duration.try_into().expect("in range")
}
