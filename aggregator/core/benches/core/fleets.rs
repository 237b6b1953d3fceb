//! Fleets to measure with: healthy nodes, and bad ones with long gaps.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    AgentId, Channel, Config, Event, Fleet, Report, WallTime,
    cause::{Facts, Figure, KubeletSight, Reading},
    event::{ChannelView, Heartbeat, Record, Visibility},
    what_if::Candidate,
};

/// Heartbeats of each node.
const HEARTBEATS: u32 = 400;

/// Grace periods from 20 s up, a second apart, around those that people set.
pub(crate) fn candidates(count: u32) -> Vec<Candidate> {
    (0..count)
        .map(|step| Candidate {
            grace_period: Duration::from_secs(20 + u64::from(step)),
            monitor_period: Duration::from_secs(5),
        })
        .collect()
}

/// One node in twenty has a long gap after every second heartbeat.
pub(crate) fn mixed_fleet(nodes: u32) -> Fleet {
    fleet(
        nodes,
        |node| if node % 20 == 0 { HEARTBEATS / 2 } else { 0 },
    )
}

/// Every node has this many gaps from 15 to 75 s.
pub(crate) fn busy_fleet(nodes: u32, long_gaps: u32) -> Fleet {
    fleet(nodes, |_| long_gaps)
}

fn fleet(nodes: u32, long_gaps: impl Fn(u32) -> u32) -> Fleet {
    let mut fleet = Fleet::new(Config::default()).expect("the defaults are a controller's");
    for node in 0..nodes {
        let mut at = 1000.0;
        let long = long_gaps(node);
        let records = (1..=HEARTBEATS)
            .map(|beat| {
                let spread = (f64::from(beat * 7919 + node * 31) * 0.618_034).fract();
                at += if beat <= long {
                    15.0 + 60.0 * spread
                } else {
                    10.0 + 0.4 * spread
                };
                (u64::from(beat), heartbeat(at))
            })
            .collect();
        fleet.apply(report(node, at, records), Duration::from_secs(100_000));
    }
    fleet
}

/// The next batch of every node: a heartbeat and a sample.
pub(crate) fn reports(nodes: u32, round: u32) -> impl Iterator<Item = Event> {
    let number = u64::from(HEARTBEATS + 2 * round);
    let at = 100_000.0 + 10.0 * f64::from(round);
    (0..nodes).map(move |node| {
        let records = vec![(number, heartbeat(at)), (number + 1, sample(at, false))];
        report(node, at, records)
    })
}

/// A fine sample of every node, long after its last heartbeat.
pub(crate) fn fine_reports(nodes: u32, round: u32) -> impl Iterator<Item = Event> {
    let number = u64::from(HEARTBEATS + round);
    let at = 100_000.0 + f64::from(round);
    (0..nodes).map(move |node| report(node, at, vec![(number, sample(at, true))]))
}

fn report(node: u32, at: f64, records: Vec<(u64, Record)>) -> Event {
    let view = |channel, visibility| ChannelView {
        channel,
        visibility,
    };
    Event::Report(Report {
        node: format!("node-{node:05}").into(),
        agent: AgentId {
            boot_id: Arc::from("boot"),
            start: Duration::from_secs(900),
        },
        sent: Duration::from_secs_f64(at),
        sent_time: WallTime::from_unix_nanos(0),
        records,
        sent_records: None,
        dropped_before: 0,
        views: vec![
            view(Channel::Lease, Visibility::Observed),
            view(Channel::NodeStatus, Visibility::Observed),
        ],
        node_uid: None,
        rhythm: None,
        losses: None,
        replay: false,
    })
}

fn heartbeat(at: f64) -> Record {
    let time = WallTime::from_unix_nanos((at * 1e9) as i64);
    Record::Heartbeat(Heartbeat {
        channel: Channel::Lease,
        stamp: time,
        arrival: Duration::from_secs_f64(at),
        arrival_time: time,
        resource_version: Arc::from("1"),
        arrival_uncertainty: Duration::ZERO,
        baseline: false,
        uncredited_renewals: 0,
    })
}

/// A sample of a host that has nothing to complain of.
fn sample(at: f64, fine: bool) -> Record {
    let interval = Some(Duration::from_secs(if fine { 1 } else { 10 }));
    let wall = WallTime::from_unix_nanos((at * 1e9) as i64);
    let mut facts = Facts::new(Duration::from_secs_f64(at), wall, fine, interval);
    for figure in Figure::all() {
        let value = match figure.reading() {
            Reading::Total => 0.01 * at,
            _ => 0.01,
        };
        facts.figures.set(figure, value);
    }
    facts.process = Some(KubeletSight {
        start: Duration::from_secs(10),
    });
    Record::Sample(Box::new(facts))
}
