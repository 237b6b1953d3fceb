//! The fixed answers: a node in trouble, one that is well, and one of which hardly anything is known.

#![allow(
    clippy::unnecessary_wraps,
    reason = "messages have every duration and moment in an option"
)]

use nodegrace_proto::{
    prost_types::{Duration, Timestamp},
    v1,
};

/// The moment of the answers: 2026-11-18T11:06:40Z.
pub const NOW: i64 = 1_795_000_000;

pub fn seconds(seconds: f64) -> Option<Duration> {
    Some(Duration {
        seconds: seconds.trunc() as i64,
        nanos: (seconds.fract() * 1e9).round() as i32,
    })
}

/// So many seconds before the moment of the answers.
pub fn ago(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: NOW - seconds,
        nanos: 0,
    })
}

/// The nodes in the aggregator's order.
pub fn nodes() -> Vec<v1::Node> {
    vec![
        v1::Node {
            flips_seen: 10,
            causes: vec![v1::CauseTotal {
                kind: v1::CauseKind::RuntimeSlow.into(),
                gaps: 17,
                accounts_for: seconds(340.2),
                last_time: ago(60),
            }],
            habits: vec![v1::Habit {
                channel: v1::Channel::NodeStatus.into(),
                period: seconds(24.3),
                nominal: seconds(10.2),
                causes: vec![runtime_slow()],
            }],
            ..node_of("worker-3", v1::State::Flipping, [24.3, 47.0, 55.1], 212.4)
        },
        node_of("worker-1", v1::State::Ok, [10.2, 10.4, 10.5], 0.0),
        v1::Node {
            name: "worker-2".to_owned(),
            state: v1::State::Learning.into(),
            state_reason: "2 of 20 heartbeats seen".to_owned(),
            ..v1::Node::default()
        },
    ]
}

/// A node with these gaps (p50, p99, longest) under a grace period of 40 s.
pub fn node_of(name: &str, state: v1::State, gaps: [f64; 3], per_day: f64) -> v1::Node {
    let [p50, p99, max] = gaps;
    let quantiles = v1::Quantiles {
        count: 141,
        min: seconds(p50 - 1.0),
        p50: seconds(p50),
        p90: seconds(p50 + 3.0),
        p99: seconds(p99),
        p999: seconds(max),
        max: seconds(max),
        relative_error: 0.0055,
        resolution: None,
    };
    v1::Node {
        name: name.to_owned(),
        state: state.into(),
        state_reason: format!(
            "p99 gap {p99} s leaves {:.1} s of the 40 s grace period",
            40.0 - p99
        ),
        gap: Some(quantiles),
        running_gap: Some(v1::RunningGap {
            duration: seconds(3.5),
            earliest_flip_in: seconds(36.5),
            flip_probability_now: 0.0,
            flip_probability_at_end: Some(0.13),
        }),
        margin: Some(v1::Margin {
            grace_period: seconds(40.0),
            p50: seconds(40.0 - p50),
            p90: seconds(37.0 - p50),
            p99: seconds(40.0 - p99),
            p999: seconds(40.0 - max),
            max: seconds(40.0 - max),
            p99_ratio: (40.0 - p99) / 40.0,
        }),
        expected_flips: Some(v1::ExpectedFlips {
            expected: per_day / 24.0,
            per_day,
            per_day_lower: per_day / 2.0,
            per_day_upper: per_day * 2.0 + 71.9,
            observed: seconds(3600.0),
            ..v1::ExpectedFlips::default()
        }),
        ready: Some(v1::Ready {
            status: v1::ConditionStatus::True.into(),
            reason: "KubeletReady".to_owned(),
            transition_time: ago(7200),
        }),
        channels: vec![v1::ChannelFigures {
            channel: v1::Channel::Lease.into(),
            view: Some(v1::ChannelView {
                visibility: v1::Visibility::Observed.into(),
                ..v1::ChannelView::default()
            }),
            heartbeats: 142,
            period: Some(quantiles),
            last_arrival_time: ago(3),
            ..v1::ChannelFigures::default()
        }],
        observation: Some(v1::Observation {
            since_time: ago(3600),
            measured: seconds(3590.0),
            blind_spells: 1,
            blind: seconds(2.5),
            report_age: seconds(0.4),
            connected: true,
            ..v1::Observation::default()
        }),
        facts: Some(v1::NodeFacts {
            kubelet_version: "v1.36.2".to_owned(),
            container_runtime_version: "containerd://1.6.20".to_owned(),
            zone: "zone-a".to_owned(),
            ..v1::NodeFacts::default()
        }),
        kubelet_settings: Some(v1::KubeletSettings {
            node_lease_duration: seconds(40.0),
            node_status_update_frequency: seconds(10.0),
            ..v1::KubeletSettings::default()
        }),
        ..v1::Node::default()
    }
}

fn runtime_slow() -> v1::Cause {
    v1::Cause {
        kind: v1::CauseKind::RuntimeSlow.into(),
        accounts_for: seconds(28.0),
        share: 0.998,
        sentence: "The container runtime kept the Node status waiting for 28.0 s of the 28.0 s that the heartbeat was late: \
                   containers: 640."
            .to_owned(),
        evidence: Vec::new(),
        knobs: vec![v1::Knob {
            setting: "KubeletConfiguration.maxPods".to_owned(),
            advice: "keep fewer containers, dead ones too: the runtime lists all of them".to_owned(),
        }],
    }
}

/// Gaps of the node in trouble, the latest first.
pub fn gaps() -> Vec<v1::Gap> {
    let gap = |end: i64, length: f64| v1::Gap {
        node_name: "worker-3".to_owned(),
        duration: seconds(length),
        start_time: ago(end + length as i64),
        end_time: ago(end),
        start_channel: v1::Channel::NodeStatus.into(),
        end_channel: v1::Channel::NodeStatus.into(),
        ..v1::Gap::default()
    };
    vec![
        gap(3, 25.3),
        v1::Gap {
            flip_probability: 1.0,
            flip_seen: true,
            lateness: seconds(28.0),
            vantage: v1::Vantage::Node.into(),
            late_channels: vec![v1::Channel::NodeStatus.into()],
            causes: vec![runtime_slow()],
            ..gap(600, 55.1)
        },
        v1::Gap {
            flip_probability: 0.0004,
            lateness: seconds(10.1),
            uncertainty: seconds(6.0),
            uncounted: true,
            causes: vec![v1::Cause {
                kind: v1::CauseKind::Unknown.into(),
                share: 1.0,
                ..v1::Cause::default()
            }],
            ..gap(3000, 40.2)
        },
    ]
}

/// The fleet's totals.
pub fn fleet() -> v1::Fleet {
    let node = &nodes()[0];
    let state = |state: v1::State| v1::StateCount {
        state: state.into(),
        nodes: 1,
    };
    v1::Fleet {
        states: [
            v1::State::Flipping,
            v1::State::Ok,
            v1::State::Learning,
            v1::State::NoAgent,
        ]
        .map(state)
        .to_vec(),
        nodes: 3,
        connected_agents: 2,
        controller: Some(controller()),
        gap: node.gap,
        expected_flips: node.expected_flips,
        flips_seen: 10,
        heartbeats: 284,
        losses: None,
        history: Some(v1::History {
            durable: true,
            complete_since_time: ago(3600),
            ..v1::History::default()
        }),
        shared_causes: vec![v1::SharedCause {
            kind: v1::CauseKind::RuntimeSlow.into(),
            nodes: 2,
            sentence: "RUNTIME_SLOW was seen on 2 of 2 nodes of zone-a and on none elsewhere."
                .to_owned(),
            ..v1::SharedCause::default()
        }],
        refusals: Some(v1::Refusals {
            queries: 3,
            ..v1::Refusals::default()
        }),
        cluster_watch: Some(watch(v1::WatchPhase::Complete)),
        agent_coverage: Some(v1::AgentCoverage {
            nodes: 4,
            without_agent: 1,
            without_agent_names: vec!["bare-1".to_owned()],
            silent_agents: 1,
            silent_agent_names: vec!["worker-2".to_owned()],
            without_node: 12,
            without_node_names: (1..=12).map(|number| format!("gone-{number}")).collect(),
        }),
        ..v1::Fleet::default()
    }
}

/// Both watches of the cluster, this far.
pub fn watch(phase: v1::WatchPhase) -> v1::ClusterWatch {
    let progress = v1::WatchProgress {
        phase: phase.into(),
        ..v1::WatchProgress::default()
    };
    v1::ClusterWatch {
        nodes: Some(progress.clone()),
        endpoint_slices: Some(progress),
        ..v1::ClusterWatch::default()
    }
}

fn controller() -> v1::ControllerSettings {
    v1::ControllerSettings {
        grace_period: seconds(40.0),
        monitor_period: seconds(5.0),
        basis: "--grace-period and --monitor-period".to_owned(),
        inferred: Some(v1::InferredGrace {
            shortest_grace_period: seconds(34.7),
            effective_grace_period: seconds(39.7),
            flips: 2,
            ..v1::InferredGrace::default()
        }),
        ..v1::ControllerSettings::default()
    }
}

fn outcome(grace: f64, flips: Option<[f64; 3]>, basis: v1::EstimateBasis) -> v1::GraceOutcome {
    v1::GraceOutcome {
        grace_period: seconds(grace),
        monitor_period: seconds(5.0),
        estimate: flips.map(|[per_day, per_day_lower, per_day_upper]| v1::FlipEstimate {
            per_day,
            per_day_lower,
            per_day_upper,
            basis: basis.into(),
        }),
        affected_node_count: u64::from(grace < 60.0),
        not_ready_per_day: flips.map(|[per_day, ..]| per_day * 4.0).and_then(seconds),
        mean_detection: seconds(grace + 2.5),
        latest_detection: seconds(grace + 5.0),
        ..v1::GraceOutcome::default()
    }
}

/// What other grace periods would have led to.
pub fn what_if() -> v1::SimulateGraceResponse {
    v1::SimulateGraceResponse {
        present: Some(controller()),
        outcomes: vec![
            outcome(
                40.0,
                Some([420.4, 246.88, 669.04]),
                v1::EstimateBasis::Replayed,
            ),
            outcome(
                60.0,
                Some([0.86, 0.0, 29.23]),
                v1::EstimateBasis::Extrapolated,
            ),
            outcome(
                180.0,
                Some([0.004, 0.0, 0.01]),
                v1::EstimateBasis::HardlySeen,
            ),
            outcome(300.0, None, v1::EstimateBasis::Unspecified),
        ],
    }
}

/// The grace period to set.
pub fn recommendation() -> v1::RecommendResponse {
    v1::RecommendResponse {
        summary: "Set the grace period to 70 s (now 40 s): 0 flips a day are expected in the fleet instead of 420.".to_owned(),
        goal_per_day: 0.0001,
        present: Some(outcome(40.0, Some([420.4, 246.9, 669.0]), v1::EstimateBasis::Replayed)),
        recommended: Some(outcome(70.0, Some([0.0, 0.0, 8.9]), v1::EstimateBasis::Extrapolated)),
        checks: vec![
            v1::SettingsCheck {
                rule: "grace period 70s > 45s".to_owned(),
                outcome: v1::CheckOutcome::Holds.into(),
                reason: "a kubelet needs that long to notice that its connection to the API server is dead".to_owned(),
            },
            v1::SettingsCheck {
                rule: "status report frequency unknown <= eviction delay 300s".to_owned(),
                outcome: v1::CheckOutcome::Unknown.into(),
                reason: "the status must be newer than the decision to evict pods".to_owned(),
            },
        ],
        settings: vec![v1::SettingsText {
            place: "kube-controller-manager".to_owned(),
            text: "--node-monitor-grace-period=70s".to_owned(),
        }],
        ..v1::RecommendResponse::default()
    }
}
