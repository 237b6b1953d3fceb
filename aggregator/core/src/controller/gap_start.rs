//! How a gap starts, as far as the controller's grace depends on it.

use std::time::Duration;

/// What is known of the heartbeat that starts a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapStart {
    /// A renewed Lease, or a status post of a node that has no Lease: credited once.
    #[default]
    Once,
    /// A status post of a node that has a Lease: it may be credited once more, one poll later.
    StatusPost {
        /// Time since the last Lease heartbeat. [`Duration::MAX`] when there was none for long.
        since_lease: Duration,
    },
}

impl GapStart {
    /// From the time since the last Lease heartbeat; absent where the gap starts with the Lease or there is none.
    pub fn after(since_lease: Option<Duration>) -> Self {
        since_lease.map_or(Self::Once, |since_lease| Self::StatusPost { since_lease })
    }

    /// Time since the last Lease heartbeat where it matters, in seconds; 0 where it does not.
    pub(super) fn since_lease(self) -> f64 {
        match self {
            Self::Once => 0.0,
            Self::StatusPost { since_lease } => since_lease.as_secs_f64(),
        }
    }

    /// True when a status post may have earned one more poll.
    pub const fn may_earn_a_poll(self) -> bool {
        matches!(self, Self::StatusPost { .. })
    }
}
