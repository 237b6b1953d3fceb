//! What a node costs at most.

use nodegrace_core::event::Channel;

use crate::kit::{Agent, NODE, fleet};

/// Most memory that a node may take.
const MOST_BYTES: usize = 34 * 1024;

#[test]
fn a_node_that_does_everything_wrong_stays_within_its_memory() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    let mut at = 1000.0;
    for beat in 0..20_000_u32 {
        // Gaps from 1 ms to 40 min, and delays from nothing to 2 min, without a pattern.
        let spread = |factor: f64| (f64::from(beat) * f64::from(beat) * factor).fract();
        at += 10.0_f64.powf(6.4 * spread(0.618_034) - 3.0);
        let channel = if beat % 3 == 0 {
            Channel::NodeStatus
        } else {
            Channel::Lease
        };
        agent.delayed(channel, at, 120.0 * spread(0.414_214).powi(4));
        if beat % 1000 == 0 {
            agent.send(&mut fleet, at);
        }
    }
    agent.send(&mut fleet, at);
    let node = fleet.history(NODE).expect("it reported");
    assert!(node.gaps().dropped() > 0);
    assert!(node.bytes() <= MOST_BYTES, "{} bytes", node.bytes());
}
