//! Label values: the words of the wire, and quantiles.

use nodegrace_core::{Channel, Losses, Spread, State};

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
pub(super) const fn state(state: State) -> &'static str {
    match state {
        State::Ok => "OK",
        State::Near => "NEAR",
        State::Flipping => "FLIPPING",
        State::Overdue => "OVERDUE",
        State::NotReady => "NOT_READY",
        State::NoAgent => "NO_AGENT",
        State::Stale => "STALE",
        State::Learning => "LEARNING",
    }
}

/// A channel's name on the wire, without the wire's prefix.
pub(super) const fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Lease => "LEASE",
        Channel::NodeStatus => "NODE_STATUS",
    }
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
