//! `GetFleet`: totals, coverage and the quality of the data.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use nodegrace_core::{
    ControllerSettings, Fleet, FleetFigures, InferredGrace, NodeHistory, State, calibration,
    cause::Scope, cluster::Coverage, infer_fleet_grace,
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{cause, cluster, compute::Computer, node, risk};
use crate::{aggregator::Parts, register::Register, wire};

/// Days of calibration told: as long as gaps are kept on disk.
const MOST_DAYS: usize = 90;

/// Totals of what is known now.
pub(super) async fn totals(parts: &Arc<Parts>, computer: &Computer) -> Result<v1::Fleet, Status> {
    let (register, store) = (&parts.register, parts.store.status());
    let now = parts.timeline.now();
    let traits = traits(register).await;
    let shared_parts = Arc::clone(parts);
    let question = move |fleet: &Fleet| {
        let of = |node: &str| {
            traits
                .get(node)
                .map_or([""; 6], |values| values.each_ref().map(String::as_str))
        };
        (
            fleet.figures(now),
            controller(fleet),
            fleet.shared_causes(now, of),
            fleet.histories().map(NodeHistory::bytes).sum::<usize>()
                + shared_parts.register.course_bytes(),
            coverage(&shared_parts, fleet, now),
            calibration::by_day(fleet),
        )
    };
    let (figures, controller, shared, bytes, coverage, days) =
        computer.answer(register, question).await?;
    let states = states(&figures, coverage.as_ref())
        .into_iter()
        .map(|(state, nodes)| v1::StateCount {
            state: node::state(state).into(),
            nodes,
        });
    Ok(v1::Fleet {
        states: states.collect(),
        nodes: figures.nodes,
        connected_agents: figures.connected_agents,
        controller: Some(controller),
        gap: Some(node::quantiles(&figures.gap)),
        expected_flips: figures.expected_flips.map(node::expected_flips),
        flips_seen: figures.flips_seen,
        heartbeats: figures.heartbeats,
        losses: figures.losses.map(node::losses),
        history: Some(v1::History {
            durable: parts.store.is_durable(),
            start_time: Some(wire::to_timestamp(parts.timeline.start_time())),
            forgotten_records: figures.forgotten_records,
            duplicate_records: figures.duplicate_records,
            rejected_records: register.rejected_records(),
            rejected_streams: register.rejected_streams(),
            complete_since_time: figures.complete_since.map(wire::to_timestamp),
            shed_samples: store.shed_samples(),
            late_records: figures.late_records,
            store_error: store.error(),
            store_failures: store.failures(),
            node_history_bytes: bytes as u64,
        }),
        refusals: Some(v1::Refusals {
            queries: parts.refused.queries.total(),
            connections: parts.refused.connections.total(),
            nodes: parts.refused.nodes.total(),
            hasty_batches: parts.refused.hasty_batches.total(),
            slow_readers: parts.refused.slow_readers.total(),
        }),
        shared_causes: shared
            .iter()
            .map(|shared| cause::shared(shared, &parts.timeline))
            .collect(),
        cluster_watch: Some(cluster::watch(&parts.cluster)),
        agent_coverage: coverage.as_ref().map(cluster::agents),
        flips_by_kind: cluster::flips_by_kind(parts),
        calibration: days.iter().take(MOST_DAYS).map(cluster::day).collect(),
    })
}

/// Nodes by state, those included of which only the cluster's watch tells that they have no agent.
pub(crate) fn states(figures: &FleetFigures, coverage: Option<&Coverage>) -> BTreeMap<State, u64> {
    let mut states: BTreeMap<State, u64> = figures.states.iter().copied().collect();
    let without_agent = coverage.map_or(0, |coverage| coverage.without_agent.len() as u64);
    if without_agent > 0 {
        states.insert(State::NoAgent, without_agent);
    }
    states
}

/// Which nodes have agents. Absent: the nodes are not known.
pub(crate) fn coverage(parts: &Parts, fleet: &Fleet, now: Duration) -> Option<Coverage> {
    risk::was_listed(&parts.cluster.nodes()).ok()?;
    Some(parts.cluster.read().coverage(fleet, now))
}

/// What nodes may have in common, in the order of [`Scope::TRAITS`], of every node that said so.
async fn traits(register: &Register) -> HashMap<Arc<str>, [String; Scope::TRAITS.len()]> {
    let mut traits = HashMap::new();
    let names = register.names();
    register
        .visit(&names, |known| {
            if let Some(facts) = &known.beside.facts {
                let value = |scope| match scope {
                    Scope::Zone => facts.zone.clone(),
                    Scope::Region => facts.region.clone(),
                    Scope::InstanceType => facts.instance_type.clone(),
                    Scope::KernelVersion => facts.kernel_version.clone(),
                    Scope::KubeletVersion => facts.kubelet_version.clone(),
                    Scope::ContainerRuntimeVersion => facts.container_runtime_version.clone(),
                    Scope::Fleet | Scope::Node => String::new(),
                };
                let name = Arc::clone(known.history.name());
                traits.insert(name, Scope::TRAITS.map(value));
            }
        })
        .await;
    traits
}

/// The settings that the fleet is judged by, and what the flips seen say of them.
pub(super) fn controller(fleet: &Fleet) -> v1::ControllerSettings {
    let settings = &fleet.config().controller;
    let periods = |settings: &ControllerSettings| (settings.grace_period, settings.monitor_period);
    let basis = if periods(settings) == periods(&ControllerSettings::default()) {
        "the defaults of Kubernetes 1.32 and later (--grace-period, --monitor-period)"
    } else {
        "--grace-period and --monitor-period"
    };
    let inferred = infer_fleet_grace(fleet);
    v1::ControllerSettings {
        grace_period: Some(wire::to_duration(settings.grace_period)),
        monitor_period: Some(wire::to_duration(settings.monitor_period)),
        basis: basis.to_owned(),
        warning: inferred.map_or_else(String::new, |inferred| warning(settings, &inferred)),
        inferred: inferred.map(|inferred| v1::InferredGrace {
            effective_grace_period: Some(wire::to_duration(inferred.effective)),
            shortest_grace_period: Some(wire::to_duration(inferred.shortest)),
            flips: inferred.flips,
            contradicts_settings: inferred.contradicts_settings,
        }),
    }
}

/// What is doubtful about the grace period; empty when nothing is.
fn warning(settings: &ControllerSettings, inferred: &InferredGrace) -> String {
    if !inferred.contradicts_settings {
        return String::new();
    }
    let InferredGrace {
        effective,
        shortest,
        flips,
        ..
    } = inferred;
    format!(
        "{flips} flips seen point to a grace period between {:.1} s and {:.1} s, not to the {:.1} s of --grace-period",
        shortest.as_secs_f64(),
        effective.as_secs_f64(),
        settings.grace_period.as_secs_f64()
    )
}
