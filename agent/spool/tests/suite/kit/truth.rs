//! Holding the spool's answers against what it was given.

use nodegrace_spool::{Class, Cursor, PerClass, Position, ReadLimit};

use super::world::World;

/// No limit.
const ALL: ReadLimit = ReadLimit {
    records: usize::MAX,
    bytes: usize::MAX,
};

impl World {
    /// Reads everything held and balances the books.
    pub(crate) fn check(&mut self) {
        if self.disk.is_down() {
            return;
        }
        let held = self.read_all();
        let spool = self.spool.as_ref().unwrap();
        let ledger = spool.ledger();
        for class in Class::ALL {
            let account = ledger[class];
            let (held, given) = (&held[class], &self.given[class]);
            assert_eq!(account.appended, given.len() as u64, "{class:?}");
            assert_eq!(account.held, held.len() as u64, "{class:?}");
            assert_eq!(
                account.appended,
                account.held + account.acknowledged + account.dropped + account.lost,
                "{class:?}: {account:?}"
            );
            let missing = given
                .iter()
                .filter(|record| record.written && held.binary_search(&record.position).is_err())
                .count() as u64;
            assert!(
                missing <= account.acknowledged + account.dropped,
                "{class:?}: {missing} written records are missing: {account:?}"
            );
        }
        assert!(
            self.disk.peak() <= self.limits.total(),
            "{} bytes on disk",
            self.disk.peak()
        );
    }

    /// The positions of all records held, each as it was given.
    pub(crate) fn read_all(&mut self) -> PerClass<Vec<Position>> {
        let mut positions = PerClass::<Vec<Position>>::default();
        let mut cursor = Cursor::default();
        while let Some(batch) = self.spool().read(&cursor, ALL).unwrap() {
            for record in &batch.records {
                let position = Position {
                    instance: batch.instance.number,
                    sequence: record.sequence,
                };
                let given = &self.given[record.class];
                let truth = given
                    .iter()
                    .find(|given| given.position == position)
                    .unwrap();
                assert_eq!(truth.payload, record.payload);
                positions[record.class].push(position);
            }
            cursor = batch.end;
        }
        positions
    }

    /// Whether the records held of each class are the newest ones, without a hole.
    pub(crate) fn holds_the_newest(&mut self) -> bool {
        let held = self.read_all();
        Class::ALL.into_iter().all(|class| {
            let newest = self.given[class].iter().rev().map(|given| given.position);
            held[class]
                .iter()
                .rev()
                .copied()
                .eq(newest.take(held[class].len()))
        })
    }
}
