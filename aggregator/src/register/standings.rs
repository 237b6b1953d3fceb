//! How all nodes stand, side by side: what lists rank by, and when time has to look at a node again, without a look at its history.
//!
//! A row takes some 300 bytes, and ten thousand of them are read in a fraction of a millisecond; histories lie all over the heap.

#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use nodegrace_core::{Config, NodeHistory, Standing, State};

/// Never: no time changes the node.
const NEVER: Duration = Duration::MAX;

/// The rows of all nodes. A node keeps its place for as long as it is known.
#[derive(Debug, Default)]
pub(super) struct Standings {
    /// By place. Absent: free.
    rows: Vec<Option<Row>>,
    /// By place, beside the rows because it is looked through every second: when the row is to be looked at again.
    due: Vec<Duration>,
    free: Vec<usize>,
    /// Made when it is asked for, until a node comes or goes.
    roster: OnceLock<Arc<Roster>>,
}

/// How a node stands.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: Arc<str>,
    pub(super) standing: Standing,
    /// What was last told of it to whoever watches. Absent: nothing was.
    pulse: Option<Pulse>,
}

/// What time alone can change of a node and whoever watches wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pulse {
    state: State,
    /// The controller can have flipped it for the gap running now. Absent: that gap is not known.
    can_be_flipped: Option<bool>,
}

/// What time did to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// Nothing that matters.
    Nothing,
    /// Whoever watches is to be told.
    Changed,
    /// It is to be forgotten.
    Gone,
}

/// The nodes at one moment, by name.
#[derive(Debug)]
pub(crate) struct Roster {
    names: Arc<[Arc<str>]>,
    places: Box<[u32]>,
}

impl Pulse {
    fn of(standing: &Standing, config: &Config, now: Duration) -> Self {
        Self {
            state: standing.state(config, now),
            can_be_flipped: standing.can_be_flipped(config, now),
        }
    }
}

impl Standings {
    /// Takes how `node` stands since its last event, at its place or at a new one; gives the place, and whether whoever watches is to
    /// be told.
    pub(super) fn take(
        &mut self,
        place: Option<usize>,
        node: &NodeHistory,
        config: &Config,
        now: Duration,
    ) -> (usize, bool) {
        let row = place.and_then(|place| self.rows.get_mut(place)?.as_mut());
        let (Some(row), Some(place)) = (row, place) else {
            let row = Row {
                name: Arc::clone(node.name()),
                standing: Standing::of(node, config),
                pulse: None,
            };
            let place = self.add(row);
            self.look(place, config, now);
            return (place, true);
        };
        row.standing = row.standing.renewed(node, config);
        (place, self.look(place, config, now))
    }

    fn add(&mut self, row: Row) -> usize {
        self.roster = OnceLock::new();
        if let Some(place) = self.free.pop() {
            (self.rows[place], self.due[place]) = (Some(row), Duration::ZERO);
            return place;
        }
        self.rows.push(Some(row));
        self.due.push(Duration::ZERO);
        self.rows.len() - 1
    }

    /// Frees a place.
    pub(super) fn remove(&mut self, place: usize) {
        if self.rows[place].take().is_some() {
            self.roster = OnceLock::new();
            self.due[place] = NEVER;
            self.free.push(place);
        }
    }

    /// The places of the nodes that time has to look at by `now`.
    pub(super) fn due(&self, now: Duration) -> Vec<usize> {
        let due = self.due.iter().enumerate();
        due.filter(|(_, due)| **due <= now)
            .map(|(place, _)| place)
            .collect()
    }

    /// Lets time pass for the node at a place.
    pub(super) fn pass(&mut self, place: usize, config: &Config, now: Duration) -> Passed {
        // Another look may have come first.
        let Some(row) = self.row(place).filter(|_| self.due[place] <= now) else {
            return Passed::Nothing;
        };
        if row.standing.is_gone(now) {
            Passed::Gone
        } else if self.look(place, config, now) {
            Passed::Changed
        } else {
            Passed::Nothing
        }
    }

    /// Looks at a node, and notes when the next look is due; true when whoever watches is to be told.
    fn look(&mut self, place: usize, config: &Config, now: Duration) -> bool {
        let Some(row) = &mut self.rows[place] else {
            return false;
        };
        let pulse = Some(Pulse::of(&row.standing, config, now));
        // A stream may end long after the last report: then it is to be forgotten at once.
        self.due[place] = if row.standing.is_gone(now) {
            now
        } else {
            row.standing.holds_until(config, now).unwrap_or(NEVER)
        };
        let before = std::mem::replace(&mut row.pulse, pulse);
        before != pulse
    }

    /// The row at a place. Absent: it is free.
    pub(super) fn row(&self, place: usize) -> Option<&Row> {
        self.rows.get(place)?.as_ref()
    }

    /// Every row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().flatten()
    }

    /// The nodes, by name.
    pub(super) fn roster(&self) -> Arc<Roster> {
        Arc::clone(self.roster.get_or_init(|| Arc::new(Roster::of(&self.rows))))
    }
}

impl Roster {
    fn of(rows: &[Option<Row>]) -> Self {
        let rows = rows.iter().zip(0..);
        let mut nodes: Vec<_> = rows
            .filter_map(|(row, place)| Some((Arc::clone(&row.as_ref()?.name), place)))
            .collect();
        nodes.sort_unstable();
        let (names, places): (Vec<_>, Vec<_>) = nodes.into_iter().unzip();
        Self {
            names: names.into(),
            places: places.into(),
        }
    }

    /// The names, ascending.
    pub(crate) const fn names(&self) -> &Arc<[Arc<str>]> {
        &self.names
    }

    /// The name and the place of the node with this number among them.
    pub(super) fn at(&self, number: usize) -> (&Arc<str>, usize) {
        (&self.names[number], self.places[number] as usize)
    }
}
