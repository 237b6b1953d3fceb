//! The series of single nodes. What is unknown of a node is no series, never zero.

use nodegrace_core::{ExpectedFlips, NodeFigures};
use nodegrace_exposition::{Exposition, Family, Kind};

use super::words;
use crate::aside::give_way;

/// Nodes written at once where each has a dozen samples: some hundred microseconds of work.
const SLICE: usize = 256;

/// Writes the series of these nodes.
pub(super) fn write(out: &mut Exposition, nodes: &[NodeFigures]) {
    verdicts(out, nodes);
    gaps(out, nodes);
    flips(out, nodes);
    channels(out, nodes);
    causes(out, nodes);
    data(out, nodes);
}

fn verdicts(out: &mut Exposition, nodes: &[NodeFigures]) {
    // Only the state it is in: the seven others would say nothing more, and Prometheus ends a series that is left out at once.
    let mut family = out.family(
        "nodegrace_node_state",
        Kind::Gauge,
        "1 for the state that the node is in; its other states have no series.",
    );
    for node in nodes {
        let state = words::state(node.verdict.state);
        family.sample(&[("node", &node.name), ("state", state)], 1.0);
    }
    gauge(
        out,
        nodes,
        "nodegrace_node_risk",
        "Flips expected in 30 days plus the share of the grace period that the node's p99 gap takes, or its running gap: what nodes are ranked by.",
        NodeFigures::risk,
    );
}

fn gaps(out: &mut Exposition, nodes: &[NodeFigures]) {
    let mut family = out.family(
        "nodegrace_node_gap_seconds",
        Kind::Summary,
        "Time between consecutive heartbeats as the controller sees them; the sum is the time observed.",
    );
    for node in nodes {
        if let Some(spread) = &node.gap.spread {
            let measured = node.observation.measured.as_secs_f64();
            let quantiles = words::quantiles(spread);
            family.summary(
                &[("node", &node.name)],
                &quantiles,
                Some(measured),
                node.gap.count,
            );
        }
    }
    // Not called quantile: that label belongs to summaries.
    let mut family = out.family(
        "nodegrace_node_margin_seconds",
        Kind::Gauge,
        "Room that such a gap of the node leaves to the grace period; negative: none.",
    );
    for node in nodes {
        if let Some(margin) = &node.margin {
            for (gap, room) in [
                ("p50", margin.p50),
                ("p90", margin.p90),
                ("p99", margin.p99),
                ("p999", margin.p999),
                ("max", margin.max),
            ] {
                family.sample(&[("node", &node.name), ("gap", gap)], room.seconds());
            }
        }
    }
    gauge(
        out,
        nodes,
        "nodegrace_node_running_gap_seconds",
        "Time since the node's last heartbeat.",
        |node| Some(node.running_gap?.duration.as_secs_f64()),
    );
}

fn flips(out: &mut Exposition, nodes: &[NodeFigures]) {
    let figure =
        |of: fn(ExpectedFlips) -> f64| move |node: &NodeFigures| node.expected_flips.map(of);
    gauge(
        out,
        nodes,
        "nodegrace_node_expected_flips_per_day",
        "Times a day that the controller would mark the node Unknown, judged from its gaps.",
        figure(|flips| flips.per_day),
    );
    gauge(
        out,
        nodes,
        "nodegrace_node_expected_flips_per_day_lower",
        "Lower end of the 95 % interval of the flips expected a day.",
        figure(|flips| flips.per_day_interval.lower),
    );
    gauge(
        out,
        nodes,
        "nodegrace_node_expected_flips_per_day_upper",
        "Upper end of the 95 % interval of the flips expected a day: 3 divided by the days observed where no gap was risky.",
        figure(|flips| flips.per_day_interval.upper),
    );
    counter(
        out,
        nodes,
        "nodegrace_node_flips_seen",
        "Times the node's Ready condition was seen to turn Unknown.",
        |node| node.flips_seen as f64,
    );
}

fn channels(out: &mut Exposition, nodes: &[NodeFigures]) {
    let mut family = out.family(
        "nodegrace_node_heartbeats",
        Kind::Counter,
        "Heartbeats counted by channel.",
    );
    each_channel(nodes, |node, channel, figures| {
        family.sample(
            &[("node", node), ("channel", channel)],
            figures.heartbeats as f64,
        );
    });
    let mut family = out.family(
        "nodegrace_node_period_seconds",
        Kind::Summary,
        "Time between consecutive stamps of one channel: what the kubelet does.",
    );
    each_channel(nodes, |node, channel, figures| {
        distribution(&mut family, node, channel, &figures.period);
    });
    let mut family = out.family(
        "nodegrace_node_delivery_delay_seconds",
        Kind::Summary,
        "Time from a heartbeat's stamp to its arrival: API server and network. Node status stamps have whole seconds.",
    );
    each_channel(nodes, |node, channel, figures| {
        distribution(&mut family, node, channel, &figures.delivery_delay);
    });
}

fn each_channel(
    nodes: &[NodeFigures],
    mut write: impl FnMut(&str, &str, &nodegrace_core::ChannelFigures),
) {
    for (number, node) in nodes.iter().enumerate() {
        if number.is_multiple_of(SLICE) {
            give_way();
        }
        for figures in &node.channels {
            write(&node.name, words::channel(figures.channel), figures);
        }
    }
}

fn distribution(
    family: &mut Family<'_>,
    node: &str,
    channel: &str,
    quantiles: &nodegrace_core::Quantiles,
) {
    if let Some(spread) = &quantiles.spread {
        let labels = [("node", node), ("channel", channel)];
        // The sketches keep no sum.
        family.summary(&labels, &words::quantiles(spread), None, quantiles.count);
    }
}

fn causes(out: &mut Exposition, nodes: &[NodeFigures]) {
    let mut family = out.family(
        "nodegrace_node_late_gaps",
        Kind::Counter,
        "Late gaps by their first cause.",
    );
    for node in nodes {
        for total in &node.causes {
            let labels = [("node", &*node.name), ("cause", total.kind.name())];
            family.sample(&labels, total.gaps as f64);
        }
    }
    let mut family = out.family(
        "nodegrace_node_late_seconds",
        Kind::Counter,
        "Lateness that first causes of late gaps account for.",
    );
    for node in nodes {
        for total in &node.causes {
            let labels = [("node", &*node.name), ("cause", total.kind.name())];
            family.sample(&labels, total.accounts_for.as_secs_f64());
        }
    }
}

fn data(out: &mut Exposition, nodes: &[NodeFigures]) {
    counter(
        out,
        nodes,
        "nodegrace_node_blind_seconds",
        "Time in which the agent could not see a channel, counted when it sees it again.",
        |node| node.observation.blind_in_ended_spells.as_secs_f64(),
    );
    counter(
        out,
        nodes,
        "nodegrace_node_unmeasured_gaps",
        "Intervals between heartbeats not counted as gaps: the agent was blind or new, or records were lost.",
        |node| node.observation.unmeasured_gaps as f64,
    );
    gauge(
        out,
        nodes,
        "nodegrace_node_report_age_seconds",
        "Time since the agent's last report.",
        |node| Some(node.observation.report_age?.as_secs_f64()),
    );
    gauge(
        out,
        nodes,
        "nodegrace_node_agent_connected",
        "1 while the agent's stream is open, else 0.",
        |node| Some(f64::from(u8::from(node.observation.connected))),
    );
    let mut family = out.family(
        "nodegrace_node_lost_records",
        Kind::Counter,
        "Records that the agent had to drop, or that were refused.",
    );
    for node in nodes {
        for (kind, records) in words::losses(node.losses.unwrap_or_default()) {
            family.sample(&[("node", &node.name), ("kind", kind)], records);
        }
    }
}

/// A gauge of each node of which it is known.
fn gauge(
    out: &mut Exposition,
    nodes: &[NodeFigures],
    name: &str,
    help: &str,
    value: impl Fn(&NodeFigures) -> Option<f64>,
) {
    give_way();
    let mut family = out.family(name, Kind::Gauge, help);
    for node in nodes {
        if let Some(value) = value(node) {
            family.sample(&[("node", &node.name)], value);
        }
    }
}

/// A counter of each node.
fn counter(
    out: &mut Exposition,
    nodes: &[NodeFigures],
    name: &str,
    help: &str,
    value: impl Fn(&NodeFigures) -> f64,
) {
    give_way();
    let mut family = out.family(name, Kind::Counter, help);
    for node in nodes {
        family.sample(&[("node", &node.name)], value(node));
    }
}
