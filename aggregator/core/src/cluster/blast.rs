//! What a flip would take along, before it comes.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Cluster, Endpoint, Service};

/// What a Service would lose with one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// The Service.
    pub service: Service,
    /// Its ready addresses on the node.
    pub loses: u32,
    /// All its ready addresses.
    pub ready: u32,
}

/// What a Service would lose with all endangered nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endangered {
    /// The Service.
    pub service: Service,
    /// Its ready addresses on endangered nodes.
    pub endangered: u32,
    /// All its ready addresses.
    pub ready: u32,
    /// Those nodes.
    pub nodes: BTreeSet<Arc<str>>,
}

impl Cluster {
    /// What every Service would lose if the node flipped now: first those that would lose all, then by the share they would lose.
    pub fn blast(&self, node: &str) -> Vec<Share> {
        let on_node = self.services.on_node(node);
        let mut shares: Vec<Share> = on_node
            .map(|(service, loses)| Share {
                service: service.clone(),
                loses,
                ready: self.services.ready(service),
            })
            .collect();
        shares.sort_by_cached_key(|share| rank(share.loses, share.ready, &share.service));
        shares
    }

    /// What every Service would lose if all of these nodes flipped: first those whose every address is on one of them.
    pub fn endangered<'a>(&self, nodes: impl Iterator<Item = &'a Arc<str>>) -> Vec<Endangered> {
        let mut services = BTreeMap::<&Service, (u32, BTreeSet<Arc<str>>)>::new();
        for node in nodes {
            for (service, loses) in self.services.on_node(node) {
                let (endangered, on) = services.entry(service).or_default();
                *endangered += loses;
                on.insert(Arc::clone(node));
            }
        }
        let mut services: Vec<Endangered> = services
            .into_iter()
            .map(|(service, (endangered, nodes))| Endangered {
                service: service.clone(),
                endangered,
                ready: self.services.ready(service),
                nodes,
            })
            .collect();
        services.sort_by_cached_key(|one| rank(one.endangered, one.ready, &one.service));
        services
    }

    /// The addresses of a Service now. Absent: there is no such Service.
    pub fn endpoints_of(&self, service: &Service) -> Option<impl Iterator<Item = &Endpoint>> {
        self.services.of(service)
    }

    /// Services that have slices, and addresses in them.
    pub fn sizes(&self) -> (usize, usize) {
        self.services.counts()
    }
}

/// Ascends from the Service that would be hit hardest: by the share lost, in thousandths, then by how many, then by name.
fn rank(loses: u32, ready: u32, service: &Service) -> (Reverse<u64>, Reverse<u32>, Service) {
    let share = u64::from(loses) * 1000 / u64::from(ready.max(1));
    (Reverse(share), Reverse(loses), service.clone())
}
