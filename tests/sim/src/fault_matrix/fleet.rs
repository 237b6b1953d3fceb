//! Trouble that several nodes share: whether the fleet's answer says which nodes, and whether it was one moment.

use std::time::Duration;

use nodegrace_proto::v1::{self, CauseKind, CauseScope};
use nodegrace_sim_cluster::kubelet::{Effect, Kind, NodeSpec};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    case::{Case, Planned},
    fault::Part,
    run::Outage,
};

/// Nodes of a fleet: three zones of six, two instance types of nine.
const NODES: usize = 18;
/// Minutes of peace before the trouble.
const PEACE: Duration = Duration::from_secs(12 * 60);

/// What befalls a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    /// One zone has no network.
    Zone,
    /// The API server is slow for everybody.
    Everyone,
    /// The API server is down, and up again.
    ServerDown,
    /// The disks of one instance type stall, each at its own time.
    InstanceType,
    /// The machines of one zone fail.
    ZoneReboots,
}

impl Shared {
    /// Every case.
    pub(super) const ALL: [Self; 5] = [
        Self::Zone,
        Self::Everyone,
        Self::ServerDown,
        Self::InstanceType,
        Self::ZoneReboots,
    ];

    /// Words for people.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Zone => "the network of one zone is gone",
            Self::Everyone => "the API server is slow for everyone",
            Self::ServerDown => "the API server is down",
            Self::InstanceType => "the disks of one instance type stall at different times",
            Self::ZoneReboots => "the machines of one zone fail",
        }
    }

    /// When the API server is down in it.
    pub(super) fn outage(self, seed: u64) -> Option<Outage> {
        let mut random = StdRng::seed_from_u64(seed ^ 0x6f75_7461);
        (self == Self::ServerDown).then(|| Outage {
            at: PEACE,
            length: Duration::from_secs_f64(random.random_range(20.0..45.0)),
        })
    }

    /// A fleet that it befalls.
    pub(super) fn plan(self, seed: u64) -> Vec<Planned> {
        let mut random = StdRng::seed_from_u64(seed ^ 0x666c_6565);
        let length = Duration::from_secs_f64(random.random_range(45.0..80.0));
        let nodes = (0..NODES).map(|index| {
            let mut spec = NodeSpec::new(format!("n-{index:03}"), Kind::Healthy, random.random());
            spec.zone = format!("zone-{}", ["a", "b", "c"][index % 3]);
            spec.instance_type = format!("type-{}", ["x", "y"][index / 3 % 2]);
            let (struck, effect, at) = match self {
                Self::Zone => (spec.zone == "zone-b", Effect::Isolated, PEACE),
                Self::ZoneReboots => (spec.zone == "zone-b", Effect::Rebooted, PEACE),
                Self::Everyone => (true, Effect::ApiSlow, PEACE),
                // Nothing happens to the nodes.
                Self::ServerDown => (false, Effect::ApiSlow, PEACE),
                Self::InstanceType => {
                    let later = Duration::from_secs_f64(random.random_range(0.0..900.0));
                    (
                        spec.instance_type == "type-y",
                        Effect::IoStalled,
                        PEACE + later,
                    )
                }
            };
            let part = Part {
                effect,
                after: Duration::ZERO,
                length,
            };
            Planned {
                spec,
                case: Case::Nothing,
                at,
                parts: if struck { vec![part] } else { Vec::new() },
            }
        });
        nodes.collect()
    }

    /// Whether the fleet's answer says so first.
    pub(super) fn is_said(self, fleet: &v1::Fleet) -> bool {
        let (kind, scope, value, simultaneous) = match self {
            Self::Zone => (CauseKind::ConnectionLost, CauseScope::Zone, "zone-b", true),
            Self::ZoneReboots => (CauseKind::NodeRebooted, CauseScope::Zone, "zone-b", true),
            Self::Everyone | Self::ServerDown => {
                (CauseKind::ApiServerSlow, CauseScope::Fleet, "", true)
            }
            Self::InstanceType => (
                CauseKind::IoStalled,
                CauseScope::InstanceType,
                "type-y",
                false,
            ),
        };
        fleet.shared_causes.first().is_some_and(|said| {
            (
                said.kind(),
                said.scope(),
                said.value.as_str(),
                said.simultaneous,
            ) == (kind, scope, value, simultaneous)
        })
    }
}

/// What the fleet's answer says.
pub(super) fn said(fleet: &v1::Fleet) -> String {
    let causes = fleet.shared_causes.iter().map(|said| {
        format!(
            "\n      {} in {} {:?}, {} of {} nodes there, {} elsewhere, {} gaps, simultaneous {}: {}",
            said.kind().as_str_name(),
            said.scope().as_str_name(),
            said.value,
            said.nodes,
            said.nodes_in_scope,
            said.nodes_elsewhere,
            said.gaps,
            said.simultaneous,
            said.sentence
        )
    });
    causes.collect()
}
