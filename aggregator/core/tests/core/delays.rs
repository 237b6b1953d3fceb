//! How long heartbeats take to arrive, and when that is not known.

use nodegrace_core::event::Channel;

use crate::kit::{Agent, figures, fleet, s};

#[test]
fn how_long_a_heartbeat_took_that_came_before_its_stamp_is_not_known() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.delayed(Channel::Lease, 1000.0, 0.5);
    // The clock was set back by a minute between the kubelet's look at it and the agent's.
    agent.delayed(Channel::Lease, 1010.0, -60.0);
    agent.send(&mut fleet, 1010.0);
    let figures = figures(&fleet, 1010.0);
    let lease = figures
        .channels
        .iter()
        .find(|one| one.channel == Channel::Lease);
    let delay = &lease.expect("it was seen").delivery_delay;
    assert_eq!(delay.count, 1);
    assert!(delay.spread.expect("one is known").min > s(0.4));
}
