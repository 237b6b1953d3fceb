//! Reading: nodes one by one, all of them a chunk at a time, and what changed since when.

use std::{cell::OnceCell, sync::Arc, time::Duration};

use nodegrace_core::{Config, Fleet, NodeFigures, NodeHistory, Standing};

use super::{Beside, Contents, GLANCE, Register, Roster, VISIT};

/// One node, as long as a reader looks at it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known<'a> {
    /// Its history.
    pub(crate) history: &'a NodeHistory,
    /// What is known beside it.
    pub(crate) beside: &'a Beside,
    standing: &'a Standing,
    config: &'a Config,
}

/// One node, of which what it stands like is at hand and the rest is looked up when it is asked for.
#[derive(Debug)]
pub(crate) struct Glance<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// How it stands.
    pub(crate) standing: &'a Standing,
    /// What it is judged by.
    pub(crate) config: &'a Config,
    contents: Option<&'a Contents>,
    known: OnceCell<Option<Known<'a>>>,
}

impl Register {
    /// The names of all nodes, ascending.
    pub(crate) fn names(&self) -> Arc<[Arc<str>]> {
        Arc::clone(self.roster().names())
    }

    /// The nodes as they are now.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        self.read().standings.roster()
    }

    /// Hands those of the roster's nodes that are known to `read`, with their numbers in it.
    pub(crate) async fn glance(&self, roster: &Roster, mut read: impl FnMut(usize, &Glance<'_>)) {
        let all = roster.names().len();
        for begin in (0..all).step_by(GLANCE) {
            {
                let contents = self.read();
                for number in begin..all.min(begin + GLANCE) {
                    if let Some(glance) = contents.glance(roster, number) {
                        read(number, &glance);
                    }
                }
            }
            if begin + GLANCE < all {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The names of the nodes of which a flip was seen, in no order.
    pub(crate) fn flipped(&self) -> Vec<Arc<str>> {
        let contents = self.read();
        let rows = contents.standings.rows();
        let flipped = rows.filter(|row| row.standing.has_flipped());
        flipped.map(|row| Arc::clone(&row.name)).collect()
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
        let beside = self.beside.get(name)?;
        Some(Known {
            history: self.fleet.history(name)?,
            beside,
            standing: &self.standings.row(beside.place?)?.standing,
            config: self.fleet.config(),
        })
    }

    /// The node with this number. Absent: it is not known any more.
    pub(super) fn glance(&self, roster: &Roster, number: usize) -> Option<Glance<'_>> {
        let (name, place) = roster.at(number);
        // Another node may have its place by now.
        let row = self
            .standings
            .row(place)
            .filter(|row| Arc::ptr_eq(&row.name, name))?;
        Some(Glance {
            name: &row.name,
            standing: &row.standing,
            config: self.fleet.config(),
            contents: Some(self),
            known: OnceCell::new(),
        })
    }
}

impl<'a> Glance<'a> {
    /// All that is known of it. Absent: it is not known.
    pub(crate) fn known(&self) -> Option<Known<'a>> {
        let look = || self.contents?.node(self.name);
        *self.known.get_or_init(look)
    }
}

impl<'a> Known<'a> {
    /// It, as one that is glanced at.
    pub(crate) fn glance(self) -> Glance<'a> {
        Glance {
            name: self.history.name(),
            standing: self.standing,
            config: self.config,
            contents: None,
            known: OnceCell::from(Some(self)),
        }
    }

    /// Its figures.
    pub(crate) fn figures(&self, now: Duration) -> NodeFigures {
        self.history.figures(self.config, now)
    }
}
