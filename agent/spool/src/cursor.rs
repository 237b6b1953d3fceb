//! How far a replica got.

use crate::class::{Class, PerClass};

/// A place in the order in which records are read: by instance, then by sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Number of the instance; 0 is before all of them.
    pub instance: u64,
    /// Sequence number within the instance.
    pub sequence: u64,
}

/// Everything up to a position, and what could not be delivered on the way there.
///
/// Records of a class are counted through all instances. A reader that meets record 17 after record 14 knows that two are
/// gone, whoever took them: a bound, a full disk or a broken one. Nothing has to be noted when they go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    pub(crate) position: Position,
    /// For each class the ordinal of the last record at or before the position.
    pub(crate) passed: PerClass<u64>,
    pub(crate) missed: PerClass<u64>,
}

impl Cursor {
    /// The position: everything up to it is behind the cursor.
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Records appended before the position that are gone, so that this reader never got them: those of the position's instance,
    /// and those at the end of instances before it, of which no later record was left to tell.
    pub const fn missed(&self) -> &PerClass<u64> {
        &self.missed
    }

    /// Moves over the record with this ordinal.
    pub(crate) fn pass(&mut self, position: Position, class: Class, ordinal: u64) {
        if position.instance != self.position.instance {
            self.missed = PerClass::default();
        }
        self.position = position;
        let expected = self.passed[class] + 1;
        self.missed[class] += ordinal.saturating_sub(expected);
        self.passed[class] = ordinal;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_ordinals_is_missed_and_counts_for_the_instance_that_ends_it() {
        let mut cursor = Cursor::default();
        let at = |instance, sequence| Position { instance, sequence };
        cursor.pass(at(1, 1), Class::Heartbeat, 1);
        cursor.pass(at(1, 9), Class::Heartbeat, 4);
        assert_eq!(cursor.missed()[Class::Heartbeat], 2);
        // Ordinals 5 to 7 were lost, whosever they were: nobody else is left to tell.
        cursor.pass(at(3, 3), Class::Heartbeat, 8);
        assert_eq!(cursor.missed()[Class::Heartbeat], 3);
    }
}
