//! `GetFleet`: totals, coverage and the quality of the data.

use nodegrace_core::ControllerSettings;
use nodegrace_proto::v1;

use super::node;
use crate::{aggregator::Parts, wire};

/// Totals of what is known now.
pub(super) fn totals(parts: &Parts) -> v1::Fleet {
    let Parts {
        config,
        clock,
        register,
    } = parts;
    let figures = register.fleet(clock.now());
    let states = figures.states.iter().map(|&(state, nodes)| v1::StateCount {
        state: node::state(state).into(),
        nodes,
    });
    v1::Fleet {
        states: states.collect(),
        nodes: figures.nodes,
        connected_agents: figures.connected_agents,
        controller: Some(controller(&config.fleet.controller)),
        gap: Some(node::quantiles(&figures.gap)),
        expected_flips: figures.expected_flips.map(node::expected_flips),
        flips_seen: figures.flips_seen,
        heartbeats: figures.heartbeats,
        losses: figures.losses.map(node::losses),
        history: Some(v1::History {
            durable: false,
            start_time: Some(wire::to_timestamp(register.origin().wall())),
            forgotten_records: figures.forgotten_records,
            duplicate_records: figures.duplicate_records,
            rejected_records: register.rejected_records(),
            rejected_streams: register.rejected_streams(),
        }),
    }
}

fn controller(settings: &ControllerSettings) -> v1::ControllerSettings {
    let periods = |settings: &ControllerSettings| (settings.grace_period, settings.monitor_period);
    let basis = if periods(settings) == periods(&ControllerSettings::default()) {
        "the defaults of Kubernetes 1.32 and later (--grace-period, --monitor-period)"
    } else {
        "--grace-period and --monitor-period"
    };
    v1::ControllerSettings {
        grace_period: Some(wire::to_duration(settings.grace_period)),
        monitor_period: Some(wire::to_duration(settings.monitor_period)),
        basis: basis.to_owned(),
    }
}
