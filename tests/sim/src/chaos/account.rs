//! The sums of the ledger.

/// Sums over heartbeats that the controller credits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Posted.
    pub(super) posted: u64,
    /// Of these, surely seen by an agent.
    pub(super) observable: u64,
    /// Of the observable, stored.
    pub(super) stored: u64,
    /// Of the observable, not stored and counted as dropped for want of room in a spool.
    pub(super) dropped: u64,
    /// Of the observable, not stored for no known reason. Must be 0.
    pub(super) lost: u64,
    /// Not surely seen: sent to an agent that watched, shortly before it was killed or its connection broke.
    pub(super) under_way: u64,
    /// Of these, stored all the same.
    pub(super) under_way_stored: u64,
    /// Not surely seen: no watch was open, and the next one found a later post.
    pub(super) unwatched: u64,
    /// Of these, stored all the same.
    pub(super) unwatched_stored: u64,
    /// Of what runs of agents surely found when they began, not stored and counted as dropped likewise.
    pub(super) baselines_dropped: u64,
    /// Rows of what a run of an agent found when it began.
    pub(super) baselines: u64,
    /// Heartbeats that agents reported as dropped, of any kind.
    pub(super) reported_drops: u64,
    /// Records recognised as sent again.
    pub(super) duplicates: u64,
}

impl Account {
    /// Both accounts together.
    #[must_use]
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            posted: self.posted + other.posted,
            observable: self.observable + other.observable,
            stored: self.stored + other.stored,
            dropped: self.dropped + other.dropped,
            lost: self.lost + other.lost,
            under_way: self.under_way + other.under_way,
            under_way_stored: self.under_way_stored + other.under_way_stored,
            unwatched: self.unwatched + other.unwatched,
            unwatched_stored: self.unwatched_stored + other.unwatched_stored,
            baselines_dropped: self.baselines_dropped + other.baselines_dropped,
            baselines: self.baselines + other.baselines,
            reported_drops: self.reported_drops + other.reported_drops,
            duplicates: self.duplicates + other.duplicates,
        }
    }
}
