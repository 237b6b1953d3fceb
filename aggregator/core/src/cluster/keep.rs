//! The changes of addresses that are kept: the newest, up to a number and an age.

use std::{collections::VecDeque, time::Duration};

use super::{AddressChange, Service, What};

/// Changes, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes(VecDeque<AddressChange>);

impl Changes {
    /// Keeps a change; true when an older one had to go for it.
    pub(super) fn keep(&mut self, change: AddressChange, most: usize) -> bool {
        self.0.push_back(change);
        self.0.len() > most && self.0.pop_front().is_some()
    }

    /// Drops those before `oldest` of the aggregator's timeline.
    pub(super) fn expire(&mut self, oldest: Duration) {
        let old = self.0.partition_point(|change| change.moment.at < oldest);
        self.0.drain(..old);
    }

    /// Addresses on a node that left since `since`, the latest first.
    pub(super) fn left_on<'a>(
        &'a self,
        node: &'a str,
        since: Duration,
    ) -> impl Iterator<Item = &'a AddressChange> {
        let latest = self.0.iter().rev();
        latest
            .take_while(move |change| change.moment.at >= since)
            .filter(move |change| {
                change.what == What::Left && change.endpoint.node.as_deref() == Some(node)
            })
    }

    /// Those of one Service, oldest first.
    pub(super) fn of<'a>(
        &'a self,
        service: &'a Service,
    ) -> impl Iterator<Item = &'a AddressChange> {
        self.0
            .iter()
            .filter(move |change| change.service == *service)
    }
}
