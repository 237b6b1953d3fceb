//! Places for agents' streams.

use std::{net::IpAddr, sync::Arc};

use tonic::Status;

use crate::{
    Limits,
    places::{Place, Places},
};

/// The places for all, and within them those that one can have.
#[derive(Debug)]
pub(super) struct StreamPlaces {
    all: Places<()>,
    nodes: Places<Arc<str>>,
    addresses: Places<IpAddr>,
}

/// A stream's place, until it ends.
#[derive(Debug)]
pub(super) struct StreamPlace {
    _among_all: Place<()>,
    /// Absent: an address vouches for it.
    _for_node: Option<Place<Arc<str>>>,
    /// Absent: it has shown its node, or comes from nowhere.
    _from_address: Option<Place<IpAddr>>,
}

impl StreamPlaces {
    pub(super) fn new(limits: &Limits) -> Self {
        let (all, of_one) = (limits.report_streams, limits.report_streams_of_one);
        Self {
            all: Places::new(all, all),
            nodes: Places::new(all, of_one.node),
            addresses: Places::new(all, of_one.address),
        }
    }

    /// A place among all, for as long as it takes to find out who it is for.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when there is none.
    pub(super) fn one_of_all(&self) -> Result<Place<()>, Status> {
        self.all
            .take(())
            .map_err(|_| Status::resource_exhausted("too many agents report to this aggregator"))
    }

    /// The place of an agent that has shown its node, or of one of whom only an address is known, if that.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` when it has as many as one may have.
    pub(super) fn own(
        &self,
        among_all: Place<()>,
        node: Option<&Arc<str>>,
        address: Option<IpAddr>,
    ) -> Result<StreamPlace, Status> {
        let full = |whose: String| {
            move |_| Status::resource_exhausted(format!("too many streams of {whose} are open"))
        };
        let of_node = node.map(|node| {
            let place = self.nodes.take(Arc::clone(node));
            place.map_err(full(format!("node {node}")))
        });
        let address = address.filter(|_| node.is_none());
        let of_address = address.map(|address| {
            let place = self.addresses.take(address.to_canonical());
            place.map_err(full(format!("address {address}")))
        });
        Ok(StreamPlace {
            _among_all: among_all,
            _for_node: of_node.transpose()?,
            _from_address: of_address.transpose()?,
        })
    }
}
