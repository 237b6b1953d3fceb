//! The aggregator replicas that the spool knows, and how far each got.

use std::{collections::BTreeMap, num::NonZeroU128};

use crate::{
    cursor::{Cursor, Position},
    error::NameTooLong,
};

/// Most bytes of a replica's name: the longest DNS name.
pub(crate) const MOST_NAME: usize = 253;

/// Most replicas remembered. Three are many; a name that changes with every restart of an aggregator must not fill the state.
pub(crate) const MOST_REPLICAS: usize = 32;

/// What a replica calls the history it keeps: opaque, and never zero.
pub type HistoryId = NonZeroU128;

/// One replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replica {
    pub(crate) cursor: Cursor,
    /// The history that acknowledged up to there. `None`: it did not say.
    pub(crate) history: Option<HistoryId>,
    /// When it was seen last, in milliseconds of monotonic time.
    pub(crate) seen: i64,
}

/// All replicas known, by name.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    known: BTreeMap<String, Replica>,
    /// True when something changed since it was last written down.
    pub(crate) changed: bool,
}

impl Replicas {
    /// Takes a replica over from the state.
    pub(crate) fn restore(&mut self, name: String, replica: Replica) {
        self.known.insert(name, replica);
    }

    /// The cursor of a replica, which is `start` for one that is not known yet.
    pub(crate) fn connect(
        &mut self,
        name: &str,
        start: Cursor,
        now: i64,
    ) -> Result<Cursor, NameTooLong> {
        if name.len() > MOST_NAME {
            return Err(NameTooLong(name.len()));
        }
        if !self.known.contains_key(name) && self.known.len() >= MOST_REPLICAS {
            self.forget_longest_unseen();
        }
        let fresh = Replica {
            cursor: start,
            history: None,
            seen: now,
        };
        let replica = self.known.entry(name.to_owned()).or_insert(fresh);
        replica.seen = now;
        self.changed = true;
        Ok(replica.cursor)
    }

    /// Takes note of the history that a replica turns out to keep. Where that is another one than before, nothing of what was
    /// acknowledged is in it, and the cursor goes back to `start`; one that was not told before may be the same.
    pub(crate) fn identify(
        &mut self,
        name: &str,
        history: Option<HistoryId>,
        start: Cursor,
    ) -> Option<Cursor> {
        let replica = self.known.get_mut(name)?;
        let other = replica.history.is_some() && history.is_some() && replica.history != history;
        self.changed |= replica.history != history;
        replica.history = history;
        if other {
            replica.cursor = start;
        }
        other.then_some(start)
    }

    /// Moves a replica's cursor forward. One that was forgotten meanwhile stays forgotten until it connects again.
    pub(crate) fn acknowledge(&mut self, name: &str, cursor: &Cursor, now: i64) {
        if let Some(replica) = self.known.get_mut(name) {
            replica.seen = now;
            if cursor.position > replica.cursor.position {
                replica.cursor = *cursor;
            }
            self.changed = true;
        }
    }

    /// Forgets replicas that were not seen since `horizon`.
    pub(crate) fn forget_unseen_since(&mut self, horizon: i64) {
        let before = self.known.len();
        self.known.retain(|_, replica| replica.seen >= horizon);
        self.changed |= self.known.len() != before;
    }

    fn forget_longest_unseen(&mut self) {
        let longest = self.known.iter().min_by_key(|(_, replica)| replica.seen);
        if let Some(name) = longest.map(|(name, _)| name.clone()) {
            self.known.remove(&name);
        }
    }

    /// Every known replica acknowledged everything up to here. Before all of it while none is known.
    pub(crate) fn acknowledged_by_all(&self) -> Position {
        self.known
            .values()
            .map(|replica| replica.cursor.position)
            .min()
            .unwrap_or_default()
    }

    /// Every replica with its name, in the order of names.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Replica)> {
        self.known
            .iter()
            .map(|(name, replica)| (name.as_str(), replica))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_replica_decides_and_a_cursor_never_moves_back() {
        let mut replicas = Replicas::default();
        let at = |sequence| Cursor {
            position: Position {
                instance: 1,
                sequence,
            },
            ..Cursor::default()
        };
        assert_eq!(replicas.acknowledged_by_all(), Position::default());
        replicas.connect("a", at(0), 0).unwrap();
        replicas.connect("b", at(0), 0).unwrap();
        replicas.acknowledge("a", &at(9), 1);
        replicas.acknowledge("b", &at(4), 2);
        replicas.acknowledge("b", &at(3), 2);
        assert_eq!(replicas.acknowledged_by_all(), at(4).position);
        replicas.forget_unseen_since(2);
        assert_eq!(replicas.acknowledged_by_all(), at(4).position);
        replicas.forget_unseen_since(3);
        assert_eq!(replicas.acknowledged_by_all(), Position::default());
    }

    #[test]
    fn only_a_history_that_is_known_to_be_another_one_starts_over() {
        let mut replicas = Replicas::default();
        let acknowledged = Cursor {
            position: Position {
                instance: 1,
                sequence: 9,
            },
            ..Cursor::default()
        };
        let start = Cursor::default();
        replicas.connect("a", start, 0).unwrap();
        replicas.acknowledge("a", &acknowledged, 1);
        let mut identify = |history| replicas.identify("a", NonZeroU128::new(history), start);
        assert_eq!(identify(7), None, "it may be the one that acknowledged");
        assert_eq!(identify(7), None);
        assert_eq!(identify(8), Some(start));
        assert_eq!(identify(0), None, "an older version at the same address");
        assert_eq!(identify(7), None);
        assert_eq!(replicas.iter().next().unwrap().1.cursor, start);
    }

    #[test]
    fn names_that_never_come_back_do_not_pile_up() {
        let mut replicas = Replicas::default();
        for number in 0..1000 {
            let name = format!("replica-{number}");
            replicas.connect(&name, Cursor::default(), number).unwrap();
        }
        assert_eq!(replicas.iter().len(), MOST_REPLICAS);
        let long = "x".repeat(MOST_NAME + 1);
        assert!(replicas.connect(&long, Cursor::default(), 0).is_err());
    }
}
