//! Aggregators found by name, over TCP and in real time: names are resolved by the machine.

use std::{net::IpAddr, time::Duration};

use nodegrace_clock::Clock;
use tokio::net::{TcpListener, lookup_host};

use super::{
    aggregator::{Aggregator, Manner},
    kit::Agent,
};
use crate::{journal::Journal, uplink::Aggregators};

async fn localhost() -> IpAddr {
    let mut addresses = lookup_host(("localhost", 0)).await.unwrap();
    addresses.next().unwrap().ip()
}

#[tokio::test]
async fn whoever_is_behind_a_name_is_reported_to_under_its_address() {
    let listener = TcpListener::bind((localhost().await, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let aggregator = Aggregator::over(listener, Manner::Acknowledge);
    let clock = Clock::real();
    let mut agent = Agent::with(
        Journal::for_test(&clock),
        clock,
        Aggregators::behind_localhost(address.port()),
    );
    agent.beat();
    let patience = agent.clock.now() + Duration::from_secs(10);
    while aggregator.received() != [1] {
        assert!(agent.clock.now() < patience, "it is reported to");
        agent.sleep(0.01).await;
    }
    let took = agent.drain().await;
    assert!(took < 5.0, "{took} s");
    assert!(agent.waiting_for(&address.to_string()).is_empty());
}
