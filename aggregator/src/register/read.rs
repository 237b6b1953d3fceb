//! Reading: nodes one by one, all of them a chunk at a time, and what changed since when.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{Config, Fleet, NodeFigures, NodeHistory};

use super::{Beside, Contents, Register, VISIT};

/// One node, as long as a reader looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Its history.
    pub(crate) history: &'a NodeHistory,
    /// What is known beside it.
    pub(crate) beside: &'a Beside,
    config: &'a Config,
}

impl Register {
    /// The names of all nodes, ascending.
    pub(crate) fn names(&self) -> Vec<Arc<str>> {
        let contents = self.read();
        let histories = contents.fleet.histories();
        histories.map(|node| Arc::clone(node.name())).collect()
    }

    /// Hands the node called `name` to `read`, or none when it is not known.
    pub(crate) fn node<T>(&self, name: &str, read: impl FnOnce(Known<'_>) -> T) -> Option<T> {
        self.read().node(name).map(read)
    }

    /// Hands those of a chunk of nodes that are known to `read`. At most [`VISIT`]: they are read under one lock.
    pub(crate) fn visit_chunk(&self, names: &[Arc<str>], mut read: impl FnMut(Known<'_>)) {
        debug_assert!(names.len() <= VISIT, "a chunk is read under one lock");
        let contents = self.read();
        names
            .iter()
            .filter_map(|name| contents.node(name))
            .for_each(&mut read);
    }

    /// Hands those of these nodes that are known to `read`, a chunk at a time, and lets others work in between.
    pub(crate) async fn visit(&self, names: &[Arc<str>], mut read: impl FnMut(Known<'_>)) {
        for chunk in names.chunks(VISIT) {
            self.visit_chunk(chunk, &mut read);
            tokio::task::yield_now().await;
        }
    }

    /// The fleet as it is now, for whoever has much to compute.
    pub(crate) fn fleet(&self) -> Fleet {
        self.read().fleet.clone()
    }

    /// Number of the latest change of a node.
    pub(crate) fn last_change(&self) -> u64 {
        self.read().changes.last()
    }

    /// The first nodes, at most [`VISIT`], whose last change came after `after` and not after `until`, with its number.
    pub(crate) fn changes(&self, after: u64, until: u64) -> Vec<(u64, Arc<str>)> {
        self.read().changes.between(after, until, VISIT)
    }

    /// Number of nodes forgotten so far.
    pub(crate) fn forgotten(&self) -> u64 {
        self.read().forgotten
    }

    /// Bytes that the courses of all nodes take.
    pub(crate) fn course_bytes(&self) -> usize {
        let contents = self.read();
        contents
            .beside
            .values()
            .map(|beside| beside.course.bytes())
            .sum()
    }

    /// Whether a node of this name is known.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.read().fleet.history(name).is_some()
    }
}

impl Contents {
    fn node(&self, name: &str) -> Option<Known<'_>> {
        Some(Known {
            history: self.fleet.history(name)?,
            beside: self.beside.get(name)?,
            config: self.fleet.config(),
        })
    }
}

impl Known<'_> {
    /// Its figures.
    pub(crate) fn figures(&self, now: Duration) -> NodeFigures {
        self.history.figures(self.config, now)
    }
}
