//! Addresses of Services, and what becomes of them.

use std::{fmt, sync::Arc};

use super::Moment;

/// A Service by its namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// One address of an `EndpointSlice`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// An IP address, or a name.
    pub address: Arc<str>,
    /// The node it is on. Absent: on none that the slice names.
    pub node: Option<Arc<str>>,
    /// The pod behind it. Absent: no pod.
    pub pod: Option<Arc<str>>,
    /// Whether traffic is sent to it.
    pub ready: bool,
    /// Whether its pod is being deleted.
    pub terminating: bool,
}

impl Endpoint {
    /// The family of its address: a pod may have one of each, and is one pod all the same.
    pub(super) fn family(&self) -> usize {
        usize::from(self.address.contains(':'))
    }
}

/// What happened to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is there and not ready any more: its pod or its node is not.
    Left,
    /// Its pod is being deleted, so that it takes no new traffic.
    Drained,
    /// It was ready and is not listed any more.
    Removed,
    /// It was not ready, and is not listed any more: its pod was deleted or evicted meanwhile.
    Gone,
    /// It was there and is ready again.
    Returned,
    /// It is new, and ready.
    Added,
    /// It is new, and not ready: nothing changed for traffic.
    Listed,
    /// It was taken off one slice and put on another: nothing changed for traffic.
    Moved,
}

/// One change of an address, as traffic sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressChange {
    /// What happened.
    pub what: What,
    /// When the watch told.
    pub moment: Moment,
    /// True when it was behind then: it may have happened long before.
    pub late: bool,
    /// The Service.
    pub service: Service,
    /// The address; its node and pod are those it had when it was listed last.
    pub endpoint: Endpoint,
}

impl What {
    /// Whether traffic lost the address by it.
    pub const fn is_loss(self) -> bool {
        matches!(self, Self::Left | Self::Drained | Self::Removed)
    }
}
