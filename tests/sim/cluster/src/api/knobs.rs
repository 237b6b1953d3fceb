//! What tests turn on a running server, and what they read off it.

use std::net::SocketAddr;

use super::{
    access::Access,
    counters::{Cost, CostKey, Logged},
    faults::Fault,
    object::Key,
    server::ApiServer,
};

impl ApiServer {
    /// Whether the Lease API is served.
    pub fn serves_leases(&self) -> bool {
        self.service().lock().lease_api
    }

    /// Orders a fault.
    pub fn order(&self, fault: Fault) {
        self.service().lock().faults.order(fault);
    }

    /// Ends every ordered fault.
    pub fn heal(&self) {
        self.service().lock().faults.heal();
    }

    /// Sets who may ask what.
    pub fn set_access(&self, access: Access) {
        self.service().lock().access = access;
    }

    /// Serves the Lease API or, as a cluster without Leases, answers 404.
    pub fn serve_leases(&self, on: bool) {
        self.service().lock().lease_api = on;
    }

    /// Serves streaming lists or, as with an etcd too old for them, refuses each with an ERROR event.
    pub fn serve_streaming_lists(&self, on: bool) {
        self.service().lock().streaming_lists = on;
    }

    /// Lets port-forwards to this port of a pod lead to an address; to others nothing listens.
    pub fn listen_in_pod(&self, pod: Key, port: u16, address: SocketAddr) {
        let mut state = self.service().lock();
        state.listening.insert((pod, port), address);
    }

    /// The last requests, oldest first; bounded.
    pub fn request_log(&self) -> Vec<Logged> {
        self.service().lock().counters.log.iter().cloned().collect()
    }

    /// Requests and bytes sent, by verb, resource or path, and user agent.
    pub fn costs(&self) -> Vec<(CostKey, Cost)> {
        let state = self.service().lock();
        let costs = state.counters.costs.iter();
        costs.map(|(key, cost)| (key.clone(), *cost)).collect()
    }
}
