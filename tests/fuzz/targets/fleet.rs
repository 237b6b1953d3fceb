//! Agents that restart, reboot, lose sight and run side by side, and what they say of two nodes: messages that are nearly all
//! right, so that they get as deep as any can.
//!
//! Checked as in the target `reports`.

#![no_main]

use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use nodegrace_fuzz::{START, clock, figures, stream::Replayed, virtual_time};
use nodegrace_proto::{
    prost_types,
    v1::{
        AgentInstance, BlindSpell, ChannelView, Heartbeat, Losses, NodeFacts, ReadyChange,
        ReportBatch, Sample,
    },
};
use prost::Message as _;

/// Messages of one input that are sent.
const MOST: usize = 24;

/// One message. Small numbers are what they are called; the rest is kept in range by the way it is written.
#[derive(Arbitrary, Debug)]
struct Said {
    second_node: bool,
    boot: u8,
    run: u8,
    /// Since the agent's start.
    sent: u32,
    replay: bool,
    records: Vec<(u8, Kind)>,
    views: Option<[(u8, u16); 2]>,
    uid: Option<u8>,
    dropped: Option<(u8, u8)>,
    disconnects: bool,
}

/// A record. Moments are milliseconds before the batch was sent; stamps are seconds before that.
#[derive(Arbitrary, Debug)]
enum Kind {
    Heartbeat {
        lease: bool,
        ago: u32,
        stamped: u8,
        version: u8,
        uncertain: u16,
        baseline: bool,
    },
    Spell {
        lease: bool,
        ago: u32,
        lasted: u32,
        resumed: bool,
    },
    Ready {
        status: u8,
        ago: u32,
        baseline: bool,
    },
    Sample,
}

fuzz_target!(|said: Vec<Said>| {
    virtual_time().block_on(async {
        let mut aggregator = Replayed::new(clock());
        for said in said.iter().take(MOST) {
            let message = message(said).encode_to_vec();
            aggregator.take(&message).await;
            if said.disconnects {
                aggregator.disconnect();
            }
        }
        aggregator.check_nodes().await;
        figures::check_fleet(aggregator.queries()).await;
    });
});

fn message(said: &Said) -> ReportBatch {
    let start = Duration::from_secs(60 * u64::from(said.run % 8));
    let sent = start + Duration::from_millis(said.sent.into());
    let mut batch = ReportBatch {
        node_name: if said.second_node { "b" } else { "a" }.to_owned(),
        agent: Some(AgentInstance {
            boot_id: (said.boot % 4).to_string(),
            start_time: Some(wall(start)),
            start_monotonic: Some(monotonic(start)),
            version: "1".to_owned(),
        }),
        sent_monotonic: Some(monotonic(sent)),
        sent_time: Some(wall(sent)),
        node_facts: said.uid.map(|uid| NodeFacts {
            uid: uid.to_string(),
            ..NodeFacts::default()
        }),
        losses: said.dropped.map(|(heartbeats, others)| Losses {
            dropped_heartbeats: heartbeats.into(),
            dropped_others: others.into(),
            ..Losses::default()
        }),
        replay: said.replay,
        ..ReportBatch::default()
    };
    for (channel, (visibility, since)) in (1..).zip(said.views.iter().flatten()) {
        batch.channel_views.push(ChannelView {
            channel,
            visibility: i32::from(visibility % 4),
            blind_since_monotonic: Some(monotonic(ago(sent, u32::from(*since)))),
            reason: 1,
            message: String::new(),
        });
    }
    let mut number = 0;
    for (step, kind) in &said.records {
        number += u64::from(*step);
        record(&mut batch, number, kind, sent);
    }
    batch.first_sequence_number = said.records.first().map_or(0, |(step, _)| (*step).into());
    batch
}

fn record(batch: &mut ReportBatch, number: u64, kind: &Kind, sent: Duration) {
    let channel = |lease: bool| if lease { 1 } else { 2 };
    match *kind {
        Kind::Heartbeat {
            lease,
            ago: before,
            stamped,
            version,
            uncertain,
            baseline,
        } => {
            let arrival = ago(sent, before);
            let uncertainty = Duration::from_millis(uncertain.into()).min(arrival);
            batch.heartbeats.push(Heartbeat {
                sequence_number: number,
                channel: channel(lease),
                stamp_time: Some(wall(ago(arrival, 1000 * u32::from(stamped)))),
                arrival_monotonic: Some(monotonic(arrival)),
                arrival_time: Some(wall(arrival)),
                resource_version: version.to_string(),
                arrival_uncertainty: Some(monotonic(uncertainty)),
                baseline,
                uncredited_renewals: 0,
            });
        }
        Kind::Spell {
            lease,
            ago: before,
            lasted,
            resumed,
        } => {
            let end = ago(sent, before);
            batch.blind_spells.push(BlindSpell {
                sequence_number: number,
                channel: channel(lease),
                start_monotonic: Some(monotonic(ago(end, lasted))),
                end_monotonic: Some(monotonic(end)),
                reason: 1,
                message: String::new(),
                resumed,
            });
        }
        Kind::Ready {
            status,
            ago: before,
            baseline,
        } => {
            let arrival = ago(sent, before);
            batch.ready_changes.push(ReadyChange {
                sequence_number: number,
                status: i32::from(status % 4),
                reason: String::new(),
                transition_time: Some(wall(arrival)),
                arrival_monotonic: Some(monotonic(arrival)),
                arrival_time: Some(wall(arrival)),
                baseline,
            });
        }
        Kind::Sample => batch.samples.push(Sample {
            sequence_number: number,
            sample_monotonic: Some(monotonic(sent)),
            sample_time: Some(wall(sent)),
            ..Sample::default()
        }),
    }
}

fn ago(then: Duration, millis: u32) -> Duration {
    then.saturating_sub(Duration::from_millis(millis.into()))
}

fn monotonic(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: duration.as_secs().cast_signed(),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}

fn wall(since_boot: Duration) -> prost_types::Timestamp {
    let time = START + since_boot;
    prost_types::Timestamp {
        seconds: time.as_secs().cast_signed(),
        nanos: time.subsec_nanos().cast_signed(),
    }
}
