//! The fixed answers about flips and addresses: the flip of tests/suite/golden/explained.txt, and two of other kinds.

use nodegrace_proto::v1::{self, TimelineKind};

use super::answers::{ago, seconds};

/// Flips, the latest first.
pub fn flips() -> Vec<v1::Flip> {
    let of_kind = |kind: v1::FlipKind, node: &str, when: i64| v1::Flip {
        node_name: node.to_owned(),
        kind: kind.into(),
        status: v1::ConditionStatus::Unknown.into(),
        reason: "NodeStatusUnknown".to_owned(),
        transition_time: ago(when),
        seen_time: ago(when),
        seen_by_watch: true,
        ..v1::Flip::default()
    };
    vec![
        v1::Flip {
            reason: "KubeletNotReady".to_owned(),
            status: v1::ConditionStatus::False.into(),
            ..of_kind(v1::FlipKind::KubeletNotReady, "worker-1", 5)
        },
        lost(),
        v1::Flip {
            seen_by_watch: false,
            seen_by_agent: true,
            unheard_for: seconds(12.5),
            flip_probability: Some(0.0),
            ..of_kind(v1::FlipKind::ControllerStale, "worker-3", 90_000)
        },
    ]
}

/// The flip that took an address along.
fn lost() -> v1::Flip {
    v1::Flip {
        node_name: "worker-3".to_owned(),
        kind: v1::FlipKind::HeartbeatLost.into(),
        status: v1::ConditionStatus::Unknown.into(),
        reason: "NodeStatusUnknown".to_owned(),
        transition_time: ago(600),
        seen_time: ago(600),
        seen_by_watch: true,
        seen_by_agent: true,
        unheard_for: seconds(42.71),
        flip_probability: Some(0.54),
        ready_again_time: ago(575),
        unready_for: seconds(25.46),
        gap: Some(v1::FlipGap {
            start_time: ago(643),
            end_time: ago(585),
            duration: seconds(57.72),
            flip_probability: 1.0,
            sufficient_grace_period: seconds(58.0),
            idle_sufficient_grace_period: seconds(56.0),
        }),
        causes: vec![v1::Cause {
            kind: v1::CauseKind::RuntimeSlow.into(),
            share: 0.9,
            ..v1::Cause::default()
        }],
        taints: vec!["node.kubernetes.io/unreachable:NoExecute".to_owned()],
        services: ["cart", "search", "mail", "ads"]
            .map(|service| v1::LostService {
                namespace: "shop".to_owned(),
                service: service.to_owned(),
                addresses: 1,
            })
            .to_vec(),
        addresses: vec![
            v1::LostAddress {
                namespace: "shop".to_owned(),
                service: "cart".to_owned(),
                address: "10.64.0.4".to_owned(),
                pod_name: "cart-2".to_owned(),
                left_time: ago(600),
                returned_time: ago(577),
                ..v1::LostAddress::default()
            },
            v1::LostAddress {
                namespace: "shop".to_owned(),
                service: "cart".to_owned(),
                address: "10.64.0.9".to_owned(),
                left_time: ago(600),
                gone_time: ago(300),
                ..v1::LostAddress::default()
            },
        ],
        lost_addresses: 5,
        evicted_addresses: 1,
        outage: seconds(23.43),
        ..v1::Flip::default()
    }
}

/// The story of a Service, in the words that an aggregator has for it.
pub fn story() -> v1::ExplainEndpointResponse {
    let told = |when: i64, kind: TimelineKind, sentence: &str| v1::TimelineEntry {
        time: ago(when),
        kind: kind.into(),
        sentence: sentence.to_owned(),
        node_name: "worker-3".to_owned(),
        flip: Some(0),
        ..v1::TimelineEntry::default()
    };
    v1::ExplainEndpointResponse {
        summary: "Nodes that were not Ready took addresses along once, last worker-3: its heartbeats were late, and 2 addresses \
                  went, away for up to 23.43 s. 4 of 5 addresses of shop/cart are ready now."
            .to_owned(),
        entries: vec![
            told(
                643,
                TimelineKind::LastHeartbeat,
                "the last heartbeat of worker-3 reached the API server",
            ),
            told(
                600,
                TimelineKind::Flip,
                "the controller marked worker-3 Unknown: its heartbeat hasn't been updated for 42.71 s (grace period 40 s)",
            ),
            told(
                600,
                TimelineKind::AddressLeft,
                "10.64.0.4 (pod cart-2) left shop/cart: its node is not ready",
            ),
            told(
                585,
                TimelineKind::HeartbeatBack,
                "the heartbeat of worker-3 is back after 57.72 s",
            ),
            told(
                585,
                TimelineKind::Cause,
                "The container runtime kept the Node status waiting for 28.0 s of the 28.0 s that the heartbeat was late: \
                 containers: 640.",
            ),
            told(
                585,
                TimelineKind::Remedy,
                "a grace period of 56 s would have kept worker-3",
            ),
            told(
                577,
                TimelineKind::AddressReturned,
                "10.64.0.4 (pod cart-2) is back after 23.43 s, 8.43 s after the heartbeat",
            ),
            told(
                575,
                TimelineKind::NodeReady,
                "worker-3 is Ready again, 25.46 s after it was not",
            ),
        ],
        flips: vec![lost()],
        dropped_entries: 2,
        changes_since_time: ago(7200),
        dropped_addresses: 0,
        ready_addresses: Some(4),
        addresses: Some(5),
        warning: String::new(),
    }
}

/// Services that stand on endangered nodes.
pub fn services() -> Vec<v1::ServiceAtRisk> {
    let service = |name: &str, loses: u32, nodes: usize| v1::ServiceAtRisk {
        share: Some(v1::ServiceShare {
            namespace: "shop".to_owned(),
            service: name.to_owned(),
            loses,
            ready: 5,
        }),
        node_names: (0..nodes).map(|node| format!("worker-{node}")).collect(),
    };
    vec![service("cart", 5, 5), service("search", 1, 1)]
}
