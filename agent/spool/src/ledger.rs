//! What became of every record of a class.

/// The account of one class over the life of the spool. `appended` equals the sum of the other four.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Records appended.
    pub appended: u64,
    /// Records held now.
    pub held: u64,
    /// Records deleted after every known replica had acknowledged them.
    pub acknowledged: u64,
    /// Records that had to make room before that: the spool or the disk was full, or they were too old.
    pub dropped: u64,
    /// Records that became unreadable or vanished: damage, files deleted by others, a crash of the machine.
    pub lost: u64,
}

impl Ledger {
    /// Moves records from held to lost.
    pub(crate) const fn lose(&mut self, records: u64) {
        self.held -= records;
        self.lost += records;
    }

    /// Balances the account after the segments were counted anew: what nothing accounts for is lost, and what was given up for
    /// dropped but is there after all is held.
    pub(crate) fn balance(&mut self) {
        let accounted = self.held + self.acknowledged + self.dropped;
        self.lost = self.appended.saturating_sub(accounted);
        let excess = accounted.saturating_sub(self.appended);
        self.dropped = self.dropped.saturating_sub(excess);
    }
}
