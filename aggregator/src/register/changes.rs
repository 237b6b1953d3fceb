//! Which nodes changed since when, for whoever watches them.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
};

/// The last change of each node, numbered in the order in which they came. One entry a node, however often it changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    last: u64,
    by_number: BTreeMap<u64, Arc<str>>,
    by_node: HashMap<Arc<str>, u64>,
}

impl Changes {
    /// Notes a change of `node`.
    pub(super) fn touch(&mut self, node: &Arc<str>) {
        self.last += 1;
        if let Some(number) = self.by_node.get_mut(node) {
            self.by_number.remove(&mem::replace(number, self.last));
        } else {
            self.by_node.insert(Arc::clone(node), self.last);
        }
        self.by_number.insert(self.last, Arc::clone(node));
    }

    /// Forgets `node`.
    pub(super) fn forget(&mut self, node: &str) {
        if let Some(number) = self.by_node.remove(node) {
            self.by_number.remove(&number);
        }
    }

    /// Number of the latest change.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The first `most` nodes whose last change came after `after` and not after `until`.
    pub(super) fn between(&self, after: u64, until: u64, most: usize) -> Vec<(u64, Arc<str>)> {
        if after >= until {
            return Vec::new();
        }
        self.by_number
            .range(after + 1..=until)
            .take(most)
            .map(|(number, node)| (*number, Arc::clone(node)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(changes: &[(u64, Arc<str>)]) -> Vec<&str> {
        changes.iter().map(|(_, name)| &**name).collect()
    }

    #[test]
    fn a_node_that_changed_twice_is_told_once_at_its_last_change() {
        let mut changes = Changes::default();
        for node in ["a", "b", "a"] {
            changes.touch(&Arc::from(node));
        }
        assert_eq!(names(&changes.between(0, 3, 10)), ["b", "a"]);
        assert_eq!(names(&changes.between(0, 3, 1)), ["b"]);
        assert_eq!(names(&changes.between(2, changes.last(), 10)), ["a"]);
        assert_eq!(names(&changes.between(0, 2, 10)), ["b"], "a has moved on");
        assert!(changes.between(3, 3, 10).is_empty());
        changes.forget("b");
        assert_eq!(names(&changes.between(0, 3, 10)), ["a"]);
    }
}
