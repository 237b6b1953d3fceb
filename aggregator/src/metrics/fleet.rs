//! The series of the fleet: totals over every node, whichever have series of their own.

use std::collections::BTreeMap;

use nodegrace_core::{ControllerSettings, FleetFigures, InferredGrace, State};
use nodegrace_exposition::{Exposition, Kind};

use super::words;

/// Writes the totals.
pub(super) fn write(
    out: &mut Exposition,
    fleet: &FleetFigures,
    states: &BTreeMap<State, u64>,
    controller: &ControllerSettings,
    inferred: Option<&InferredGrace>,
) {
    nodes(out, fleet, states);
    flips(out, fleet);
    grace(out, controller, inferred);
    data(out, fleet);
}

fn nodes(out: &mut Exposition, fleet: &FleetFigures, states: &BTreeMap<State, u64>) {
    let mut family = out.family(
        "nodegrace_nodes",
        Kind::Gauge,
        "Nodes by state. NO_AGENT has no series unless the cluster's nodes are watched (--watch-cluster): who has no agent does not report it.",
    );
    for state in words::STATES {
        // Of the other states every node is known.
        let none = (state != State::NoAgent).then_some(0);
        if let Some(nodes) = states.get(&state).copied().or(none) {
            family.sample(&[("state", words::state(state))], nodes as f64);
        }
    }
    out.single(
        "nodegrace_agents_connected",
        Kind::Gauge,
        "Agents whose stream is open.",
        Some(fleet.connected_agents as f64),
    );
    let mut family = out.family(
        "nodegrace_gap_seconds",
        Kind::Summary,
        "Time between consecutive heartbeats of a node as the controller sees them, of all nodes together.",
    );
    if let Some(spread) = &fleet.gap.spread {
        family.summary(&[], &words::quantiles(spread), None, fleet.gap.count);
    }
}

fn flips(out: &mut Exposition, fleet: &FleetFigures) {
    let flips = fleet.expected_flips;
    for (name, help, value) in [
        (
            "nodegrace_expected_flips_per_day",
            "Times a day that the controller would mark some node Unknown, judged from the gaps of all.",
            flips.map(|flips| flips.per_day),
        ),
        (
            "nodegrace_expected_flips_per_day_lower",
            "Lower end of the 95 % interval of the flips expected a day.",
            flips.map(|flips| flips.per_day_interval.lower),
        ),
        (
            "nodegrace_expected_flips_per_day_upper",
            "Upper end of the 95 % interval of the flips expected a day.",
            flips.map(|flips| flips.per_day_interval.upper),
        ),
    ] {
        out.single(name, Kind::Gauge, help, value);
    }
    out.single(
        "nodegrace_flips_seen",
        Kind::Counter,
        "Times a Ready condition was seen to turn Unknown.",
        Some(fleet.ever.flips_seen as f64),
    );
}

fn grace(out: &mut Exposition, controller: &ControllerSettings, inferred: Option<&InferredGrace>) {
    for (name, help, value) in [
        (
            "nodegrace_grace_period_seconds",
            "The controller's node-monitor-grace-period as this aggregator was told.",
            Some(controller.grace_period.as_secs_f64()),
        ),
        (
            "nodegrace_monitor_period_seconds",
            "The controller's node-monitor-period as this aggregator was told.",
            Some(controller.monitor_period.as_secs_f64()),
        ),
        (
            "nodegrace_inferred_grace_period_shortest_seconds",
            "The shortest grace period that the flips seen agree with.",
            inferred.map(|inferred| inferred.shortest.as_secs_f64()),
        ),
        (
            "nodegrace_inferred_grace_period_longest_seconds",
            "The longest grace period that the flips seen agree with.",
            inferred.map(|inferred| inferred.effective.as_secs_f64()),
        ),
        (
            "nodegrace_grace_period_contradicted",
            "1 when the flips seen cannot come from the grace period that this aggregator was told, 0 when they can.",
            inferred.map(|inferred| f64::from(u8::from(inferred.contradicts_settings))),
        ),
    ] {
        out.single(name, Kind::Gauge, help, value);
    }
}

fn data(out: &mut Exposition, fleet: &FleetFigures) {
    for (name, help, records) in [
        (
            "nodegrace_heartbeats",
            "Heartbeats counted.",
            fleet.ever.heartbeats,
        ),
        (
            "nodegrace_duplicate_records",
            "Records received more than once and recognised.",
            fleet.ever.duplicate_records,
        ),
        (
            "nodegrace_late_records",
            "Records of replaced agents that came too late to be put in order.",
            fleet.ever.late_records,
        ),
        (
            "nodegrace_forgotten_records",
            "Records acknowledged by an earlier run and forgotten with it.",
            fleet.ever.forgotten_records,
        ),
    ] {
        out.single(name, Kind::Counter, help, Some(records as f64));
    }
    let mut family = out.family(
        "nodegrace_lost_records",
        Kind::Counter,
        "Records that agents had to drop, or that were refused.",
    );
    for (kind, records) in words::losses(fleet.ever.losses) {
        family.sample(&[("kind", kind)], records);
    }
}
