//! What strangers are refused, counted each time and told seldom.

use std::sync::atomic::{AtomicU64, Ordering};

use nodegrace_clock::Clock;

use crate::seldom::Seldom;

/// What was refused in this run, besides streams.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Questions of those who may not ask.
    pub(crate) queries: Tally,
    /// Connections beyond the number that there may be.
    pub(crate) connections: Tally,
    /// Batches of nodes beyond the number that there may be.
    pub(crate) nodes: Tally,
    /// Batches that came faster than an agent has something to say.
    pub(crate) hasty_batches: Tally,
    /// Connections by HTTP that were ended because an answer was read too slowly.
    pub(crate) slow_readers: Tally,
}

impl Refused {
    /// Nothing yet.
    pub(crate) fn new(clock: &Clock) -> Self {
        let tally = || Tally {
            times: AtomicU64::new(0),
            words: Seldom::new(clock.clone()),
        };
        Self {
            queries: tally(),
            connections: tally(),
            nodes: tally(),
            hasty_batches: tally(),
            slow_readers: tally(),
        }
    }
}

/// How often something was refused.
#[derive(Debug)]
pub(crate) struct Tally {
    times: AtomicU64,
    words: Seldom,
}

impl Tally {
    /// It was once more. Says how often since the last word about it when it is time for one.
    pub(crate) fn count(&self) -> Option<u64> {
        self.times.fetch_add(1, Ordering::Relaxed);
        self.words.happens()
    }

    /// How often it was in this run.
    pub(crate) fn total(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}
