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

    /// Balances the account after the segments were counted anew: what nothing accounts for is lost, and what was given up but is
    /// there after all is held. More than was ever appended nobody gave up, whatever a state says.
    pub(crate) fn balance(&mut self) {
        let accounted = self.held + self.acknowledged + self.dropped;
        self.lost = self.appended.saturating_sub(accounted);
        let excess = accounted.saturating_sub(self.appended);
        let not_dropped = excess.min(self.dropped);
        self.dropped -= not_dropped;
        self.acknowledged = self.acknowledged.saturating_sub(excess - not_dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balanced(appended: u64, held: u64, acknowledged: u64, dropped: u64) -> (u64, u64, u64) {
        let mut ledger = Ledger {
            appended,
            held,
            acknowledged,
            dropped,
            lost: 0,
        };
        ledger.balance();
        let sum = ledger.held + ledger.acknowledged + ledger.dropped + ledger.lost;
        assert_eq!(ledger.appended, sum);
        (ledger.acknowledged, ledger.dropped, ledger.lost)
    }

    #[test]
    fn what_nothing_accounts_for_is_lost() {
        assert_eq!(balanced(22, 10, 5, 4), (5, 4, 3));
    }

    #[test]
    fn what_was_given_up_but_is_there_is_held() {
        assert_eq!(balanced(22, 10, 5, 9), (5, 7, 0));
    }

    #[test]
    fn no_more_was_given_up_than_was_appended() {
        assert_eq!(balanced(22, 10, 27, 9), (12, 0, 0));
    }
}
