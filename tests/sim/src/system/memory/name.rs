//! The one name behind which all aggregators are: what a headless Service is in a cluster.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{Stream, StreamExt as _, future::BoxFuture};
use hyper_util::rt::TokioIo;
use nodegrace_agent::Directory;
use nodegrace_sim_cluster::kubelet::{OnNode, SimNode};
use tokio::io::DuplexStream;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::pipe::Listener;

/// Port of every aggregator.
const PORT: u16 = 4850;

/// The aggregators that listen: cheap to clone.
#[derive(Clone, Debug, Default)]
pub(in crate::system) struct Name(Arc<Mutex<Addresses>>);

/// The name as a node sees it: connections from there share the fate of its network and its machine.
#[derive(Debug)]
pub(in crate::system) struct FromNode {
    name: Name,
    node: SimNode,
}

#[derive(Debug, Default)]
struct Addresses {
    /// Addresses that were given away.
    given: u32,
    listeners: BTreeMap<SocketAddr, Listener>,
}

impl Name {
    /// An address that nobody had before.
    pub(in crate::system) fn new_address(&self) -> SocketAddr {
        let mut addresses = self.addresses();
        addresses.given += 1;
        let first = Ipv4Addr::new(10, 0, 0, 0);
        (Ipv4Addr::from_bits(first.to_bits() + addresses.given), PORT).into()
    }

    /// Lists an address, and gives the connections that arrive there from now on. Those to an earlier listener break.
    pub(in crate::system) fn listen(
        &self,
        address: SocketAddr,
    ) -> impl Stream<Item = io::Result<DuplexStream>> + Unpin + use<> {
        let (listener, receiver) = Listener::new();
        self.addresses().listeners.insert(address, listener);
        UnboundedReceiverStream::new(receiver).map(Ok)
    }

    /// Breaks every connection to an address, refuses new ones, and lists it no more until somebody listens there again.
    pub(in crate::system) fn break_off(&self, address: SocketAddr) {
        self.addresses().listeners.remove(&address);
    }

    /// The name as a node's agent sees it.
    pub(in crate::system) fn seen_from(&self, node: &SimNode) -> FromNode {
        FromNode {
            name: self.clone(),
            node: node.clone(),
        }
    }

    /// A connection to an address from outside the cluster's nodes.
    pub(in crate::system) fn channel(&self, address: SocketAddr) -> Channel {
        let name = self.clone();
        let connector = service_fn(move |_: http::Uri| {
            std::future::ready(name.connect(address).map(TokioIo::new))
        });
        Endpoint::from_static("http://aggregator").connect_with_connector_lazy(connector)
    }

    fn connect(&self, address: SocketAddr) -> io::Result<DuplexStream> {
        self.addresses()
            .listeners
            .get(&address)
            .ok_or(io::ErrorKind::ConnectionRefused)?
            .connect()
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory for FromNode {
    fn name(&self) -> &'static str {
        "aggregator"
    }

    fn look_up(&self) -> BoxFuture<'_, io::Result<Vec<SocketAddr>>> {
        let listed = self.name.addresses().listeners.keys().copied().collect();
        Box::pin(std::future::ready(Ok(listed)))
    }

    fn channel(&self, address: SocketAddr) -> Channel {
        let (name, node) = (self.name.clone(), self.node.clone());
        let connector = service_fn(move |_: http::Uri| {
            let connected = name.connect(address);
            let connected = connected.map(|pipe| TokioIo::new(OnNode::new(pipe, &node)));
            std::future::ready(connected)
        });
        Endpoint::from_static("http://aggregator").connect_with_connector_lazy(connector)
    }
}
