//! The nodes of a run: both channels busy, several kinds of trouble, one clock an hour ahead, two spools that overflow.

use std::time::Duration;

use nodegrace_sim_cluster::kubelet::{Kind, NodeSpec};

/// Bytes of a spool that holds everything that a run can make it hold: the agent's default.
const AMPLE: u64 = 4 << 20;
/// Bytes of about the smallest spool that there can be: some 700 heartbeats.
const TIGHT: u64 = 288 << 10;
/// What the kubelets of tight spools renew and report by, so that a long outage overflows them: three heartbeats a second.
const HASTY_LEASE: Duration = Duration::from_secs(2);
const HASTY_STATUS: Duration = Duration::from_secs(1);
/// How far one machine's wall clock is ahead, in seconds: durations must not mind.
const AHEAD: f64 = 3600.0;

/// One node, and how its agent is set up.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The node.
    pub(super) spec: NodeSpec,
    /// How many seconds its machine's wall clock is ahead of the cluster's.
    pub(super) ahead: f64,
    /// Most bytes of its agent's spool.
    pub(super) spool_bytes: u64,
}

impl Member {
    /// Whether its spool may overflow.
    pub(super) const fn is_tight(&self) -> bool {
        self.spool_bytes < AMPLE
    }
}

/// The nodes of the run with this seed: one of each kind that matters, and healthy ones under special conditions.
pub(super) fn fleet(seed: u64) -> Vec<Member> {
    let kinds = [
        Kind::Healthy,
        Kind::Healthy,
        Kind::Healthy,
        Kind::Healthy,
        Kind::Overloaded,
        Kind::CpuStarved,
        Kind::FlakyConnection,
        Kind::RestartedKubelet,
    ];
    let members = kinds.into_iter().enumerate().map(|(index, kind)| {
        let node_seed = seed.wrapping_mul(1000).wrapping_add(index as u64);
        let mut spec = NodeSpec::new(format!("node-{index}"), kind, node_seed);
        let tight = (2..4).contains(&index);
        if tight {
            spec.lease_duration = Some(HASTY_LEASE);
            spec.status_update_frequency = HASTY_STATUS;
        }
        // As on clusters before Leases, so that the status beats as often as it is computed.
        spec.status_report_frequency = spec.status_update_frequency;
        Member {
            spec,
            ahead: if index == 1 { AHEAD } else { 0.0 },
            spool_bytes: if tight { TIGHT } else { AMPLE },
        }
    });
    members.collect()
}
