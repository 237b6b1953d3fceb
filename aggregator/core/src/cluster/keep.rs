//! The changes of addresses that are kept: the newest, up to a number and an age.
//!
//! They are kept in blocks that are shared with whoever reads: a reader takes the blocks under the cluster's lock, which is a few
//! hundred pointers, and looks through them after it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{AddressChange, Service, What};

/// Changes of one block: what is copied at most when one comes while somebody reads.
const BLOCK: usize = 256;

type Block = Arc<Vec<AddressChange>>;

/// Changes, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    blocks: VecDeque<Block>,
    /// Of the first block, those that are gone already.
    passed: usize,
    len: usize,
    /// Number of the first change that is kept.
    first: u64,
}

/// The changes that were kept when somebody asked.
#[derive(Clone, Debug)]
pub struct KeptChanges {
    blocks: Vec<Block>,
    passed: usize,
}

impl Changes {
    /// Keeps a change. Gives its number, and whether an older one had to go for it.
    pub(super) fn keep(&mut self, change: AddressChange, most: usize) -> (u64, bool) {
        let number = self.first + self.len as u64;
        match self.blocks.back_mut() {
            Some(block) if block.len() < BLOCK => Arc::make_mut(block).push(change),
            _ => self.blocks.push_back(Arc::new(vec![change])),
        }
        self.len += 1;
        let full = self.len > most;
        if full {
            self.pass(1);
        }
        (number, full)
    }

    /// Takes back a change: the address was only moved.
    pub(super) fn revoke(&mut self, number: u64) {
        let Some(place) = number.checked_sub(self.first) else {
            return;
        };
        let place = place as usize + self.passed;
        let block = self.blocks.get_mut(place / BLOCK);
        if let Some(change) = block.and_then(|block| Arc::make_mut(block).get_mut(place % BLOCK)) {
            change.what = What::Moved;
        }
    }

    /// Drops those before `oldest` of the aggregator's timeline.
    pub(super) fn expire(&mut self, oldest: Duration) {
        let is_old = |change: &&AddressChange| change.moment.at < oldest;
        loop {
            let Some(block) = self.blocks.front() else {
                return;
            };
            let old = block[self.passed..].iter().take_while(is_old).count();
            if old == 0 {
                return;
            }
            self.pass(old);
        }
    }

    /// Drops so many of the oldest, all of them in the first block.
    fn pass(&mut self, count: usize) {
        self.passed += count;
        self.first += count as u64;
        self.len -= count;
        if self.passed == BLOCK || self.len == 0 {
            self.blocks.pop_front();
            self.passed = 0;
        }
    }

    /// What became of the addresses on a node since `since`, oldest first.
    pub(super) fn on_node(&self, node: &str, since: Duration) -> Vec<AddressChange> {
        let latest = self
            .blocks
            .iter()
            .rev()
            .flat_map(|block| block.iter().rev());
        let mut changes: Vec<_> = latest
            .take(self.len)
            .take_while(|change| change.moment.at >= since)
            .filter(|change| change.endpoint.node.as_deref() == Some(node))
            .cloned()
            .collect();
        changes.reverse();
        changes
    }

    /// All of them, to look through without the cluster.
    pub(super) fn all(&self) -> KeptChanges {
        KeptChanges {
            blocks: self.blocks.iter().cloned().collect(),
            passed: self.passed,
        }
    }
}

impl KeptChanges {
    /// Those of one Service, oldest first, but for what was no change after all.
    pub fn of<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = &'a AddressChange> {
        let all = self.blocks.iter().flat_map(|block| block.iter());
        all.skip(self.passed)
            .filter(|change| change.what != What::Moved && change.service == *service)
    }

    /// The oldest. Absent: there is none.
    pub fn oldest(&self) -> Option<&AddressChange> {
        self.blocks.first()?.get(self.passed)
    }
}
