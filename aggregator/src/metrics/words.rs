//! Label values: the words of the wire, and quantiles.

use nodegrace_core::{Channel, Losses, Spread, State};
use nodegrace_proto::v1::WatchPhase;

use crate::query;

/// Every state.
pub(super) const STATES: [State; 8] = [
    State::Ok,
    State::Near,
    State::Flipping,
    State::Overdue,
    State::NotReady,
    State::NoAgent,
    State::Stale,
    State::Learning,
];

/// A state's name on the wire, without the wire's prefix.
pub(super) fn state(state: State) -> &'static str {
    bare(query::node_state(state).as_str_name(), "STATE_")
}

/// A channel's name on the wire, without the wire's prefix.
pub(super) fn channel(channel: Channel) -> &'static str {
    bare(query::channel(channel).as_str_name(), "CHANNEL_")
}

/// The name on the wire of how far a watch is, without the wire's prefix.
pub(super) fn phase(phase: WatchPhase) -> &'static str {
    bare(phase.as_str_name(), "WATCH_PHASE_")
}

fn bare(name: &'static str, prefix: &str) -> &'static str {
    name.strip_prefix(prefix).unwrap_or(name)
}

/// The quantiles of a distribution in seconds, by the names that summaries give them.
pub(super) fn quantiles(spread: &Spread) -> [(&'static str, f64); 6] {
    [
        ("0", spread.min),
        ("0.5", spread.p50),
        ("0.9", spread.p90),
        ("0.99", spread.p99),
        ("0.999", spread.p999),
        ("1", spread.max),
    ]
    .map(|(quantile, value)| (quantile, value.as_secs_f64()))
}

/// Lost records by what they were.
pub(super) fn losses(losses: Losses) -> [(&'static str, f64); 4] {
    [
        ("heartbeat", losses.dropped_heartbeats),
        ("sample", losses.dropped_samples),
        ("other", losses.dropped_others),
        ("rejected", losses.rejected_records),
    ]
    .map(|(kind, records)| (kind, records as f64))
}
