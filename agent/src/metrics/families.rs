//! What a scrape says: every family, made of the counts as they are now.

use std::time::Duration;

use nodegrace_exposition::Figures;

use super::{
    family::{Family, Kind},
    tally::{Calls, ChannelCounts, Counts},
};

/// What beside the counts is known at a scrape.
#[derive(Clone, Debug, Default)]
pub(super) struct Present<'a> {
    /// The node.
    pub(super) node: &'a str,
    /// Time since the last heartbeat. Absent: none was seen, or one may have come unseen.
    pub(super) running_gap: Option<Duration>,
    /// Records by kind: kept for aggregators now, and dropped or damaged before every one had them. Empty: there is no aggregator.
    pub(super) records: Vec<(&'static str, Kept)>,
    /// The process's own figures.
    pub(super) process: Figures,
}

/// Records of one kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// Kept now.
    pub(super) held: u64,
    /// Gone before every aggregator had them.
    pub(super) lost: u64,
}

/// The families.
pub(super) fn families(counts: &Counts, present: &Present<'_>) -> Vec<Family> {
    let mut families = heartbeats(counts, present);
    families.extend(sight(counts));
    families.extend(runtime(counts));
    families.extend(records(counts, present));
    families.extend(process(present));
    families
}

fn heartbeats(counts: &Counts, present: &Present<'_>) -> Vec<Family> {
    let version = env!("CARGO_PKG_VERSION");
    let running = present.running_gap.map(|gap| gap.as_secs_f64());
    vec![
        Family::new(
            "nodegrace_agent_info",
            Kind::Gauge,
            "1; the labels say which version runs, and on which node.",
        )
        .number(&[("node", present.node), ("version", version)], Some(1.0)),
        Family::new(
            "nodegrace_agent_gap_seconds",
            Kind::Histogram,
            "Time between consecutive heartbeats as they arrived, by whichever channel: what the controller sees.",
        )
        .histogram(&[], &counts.gaps),
        Family::new(
            "nodegrace_agent_running_gap_seconds",
            Kind::Gauge,
            "Time since the last heartbeat; none while one may have come unseen.",
        )
        .number(&[], running),
        total(
            "nodegrace_agent_unmeasured_gaps",
            "Heartbeats that ended no gap that can be told: the first, and those around which the agent was blind.",
            counts.unmeasured_gaps,
        ),
        total(
            "nodegrace_agent_flips_seen",
            "Times the Ready condition of the node was seen to turn Unknown.",
            counts.flips_seen,
        ),
        by_channel(
            counts,
            "nodegrace_agent_heartbeats",
            "Heartbeats: renewals of the Lease, and changes of the Ready condition's lastHeartbeatTime.",
            |channel| channel.heartbeats as f64,
        ),
        by_channel(
            counts,
            "nodegrace_agent_uncredited_renewals",
            "Renewals whose stamp did not move forward, which the controller does not credit.",
            |channel| channel.uncredited_renewals as f64,
        ),
        distributions(
            counts,
            "nodegrace_agent_period_seconds",
            "Time between consecutive stamps of one channel: what the kubelet does.",
            |channel| &channel.periods,
        ),
        distributions(
            counts,
            "nodegrace_agent_delivery_delay_seconds",
            "Time from a heartbeat's stamp to its arrival: API server and network. Node status stamps have whole seconds.",
            |channel| &channel.delays,
        ),
    ]
}

fn sight(counts: &Counts) -> Vec<Family> {
    let mut visibility = Family::new(
        "nodegrace_agent_channel_visibility",
        Kind::Gauge,
        "1 for what the agent sees of the channel: OBSERVED, ABSENT when there is nothing to see, or BLIND.",
    );
    for (channel, counts) in counts.channels() {
        if let Some(view) = &counts.view {
            let name = view.visibility().as_str_name();
            let seen = name.strip_prefix("VISIBILITY_").unwrap_or(name);
            let labels = [("channel", channel), ("visibility", seen)];
            visibility = visibility.number(&labels, Some(1.0));
        }
    }
    vec![
        visibility,
        by_channel(
            counts,
            "nodegrace_agent_blind_seconds",
            "Time in which the agent could not see the channel, told when it is over.",
            |channel| channel.blind.as_secs_f64(),
        ),
        by_channel(
            counts,
            "nodegrace_agent_blind_spells",
            "Times the agent could not see the channel, told when they are over.",
            |channel| channel.blind_spells as f64,
        ),
    ]
}

fn runtime(counts: &Counts) -> Vec<Family> {
    let runtime = counts.runtime.clone().unwrap_or_default();
    let mut objects = Family::new(
        "nodegrace_agent_runtime_objects",
        Kind::Gauge,
        "What the container runtime lists: containers and sandboxes in every state, and images.",
    );
    for (kind, count) in [
        ("container", runtime.containers),
        ("pod_sandbox", runtime.pod_sandboxes),
        ("image", runtime.images),
    ] {
        objects = objects.number(&[("kind", kind)], count.map(f64::from));
    }
    let mut took = Family::new(
        "nodegrace_agent_runtime_call_duration_seconds",
        Kind::Histogram,
        "How long the agent's calls to the container runtime took, those that failed among them.",
    );
    let mut failures = Family::new(
        "nodegrace_agent_runtime_call_failures",
        Kind::Counter,
        "The agent's calls to the container runtime that failed, or met their deadline.",
    );
    for (
        method,
        Calls {
            took: times,
            failures: failed,
        },
    ) in &counts.calls
    {
        let labels = [("method", method.as_str())];
        took = took.histogram(&labels, times);
        failures = failures.number(&labels, Some(*failed as f64));
    }
    vec![objects, took, failures]
}

fn records(counts: &Counts, present: &Present<'_>) -> Vec<Family> {
    let samples = Family::new(
        "nodegrace_agent_samples",
        Kind::Counter,
        "Samples taken of host, kubelet and runtime; fine ones while a heartbeat was awaited.",
    )
    .number(&[("fine", "false")], Some(counts.samples as f64))
    .number(&[("fine", "true")], Some(counts.fine_samples as f64));
    let mut held = Family::new(
        "nodegrace_agent_spool_records",
        Kind::Gauge,
        "Records kept until every aggregator has them; none without an aggregator.",
    );
    let mut lost = Family::new(
        "nodegrace_agent_lost_records",
        Kind::Counter,
        "Records that had to make room, or were damaged, before every aggregator had them, over the life of the spool.",
    );
    for (kind, kept) in &present.records {
        held = held.number(&[("kind", kind)], Some(kept.held as f64));
        lost = lost.number(&[("kind", kind)], Some(kept.lost as f64));
    }
    vec![samples, held, lost]
}

fn process(present: &Present<'_>) -> [Family; 5] {
    let families = present.process.families();
    families.map(|(name, kind, help, value)| Family::new(name, kind, help).number(&[], value))
}

fn total(name: &'static str, help: &'static str, times: u64) -> Family {
    Family::new(name, Kind::Counter, help).number(&[], Some(times as f64))
}

fn by_channel(
    counts: &Counts,
    name: &'static str,
    help: &'static str,
    of: fn(&ChannelCounts) -> f64,
) -> Family {
    let channels = counts.channels().into_iter();
    channels.fold(
        Family::new(name, Kind::Counter, help),
        |family, (channel, counts)| family.number(&[("channel", channel)], Some(of(counts))),
    )
}

fn distributions(
    counts: &Counts,
    name: &'static str,
    help: &'static str,
    of: fn(&ChannelCounts) -> &super::histogram::Histogram,
) -> Family {
    let channels = counts.channels().into_iter();
    channels.fold(
        Family::new(name, Kind::Histogram, help),
        |family, (channel, counts)| family.histogram(&[("channel", channel)], of(counts)),
    )
}
