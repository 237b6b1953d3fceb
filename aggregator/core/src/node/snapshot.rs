//! A node's history as plain data and back.

use super::{LastReport, NodeHistory, instance::Instance};
use crate::{
    channel::ChannelHistory,
    event::Channel,
    gap_chain::GapChain,
    gap_history::{GapBounds, GapHistory},
    snapshot::NodeSnapshot,
};

impl NodeHistory {
    /// The history that was exported; no stream of its agent is open.
    pub(crate) fn import(snapshot: NodeSnapshot, bounds: GapBounds) -> Self {
        let [lease, status] = snapshot.channels;
        Self {
            name: snapshot.name,
            uid: snapshot.uid,
            instance: Instance::import(snapshot.instance),
            channels: [
                ChannelHistory::import(Channel::Lease, lease),
                ChannelHistory::import(Channel::NodeStatus, status),
            ],
            chain: GapChain::import(&snapshot.chain),
            doubt: snapshot.doubt,
            renewals: snapshot.renewals,
            gaps: GapHistory::import(bounds, snapshot.gaps),
            causes: snapshot.causes,
            ready: snapshot.ready,
            flips_seen: snapshot.flips_seen,
            flips: snapshot.flips,
            losses_before: snapshot.losses_before,
            losses: snapshot.losses,
            last_report: snapshot
                .last_report
                .map(|(sent, received)| LastReport { sent, received }),
            since: snapshot.since,
            counters: snapshot.counters,
            coverage: snapshot.coverage,
        }
    }

    /// The history as plain data, to be kept across a restart.
    pub fn export(&self) -> NodeSnapshot {
        let channel = |channel: Channel| self.channels[channel.index()].export();
        NodeSnapshot {
            name: self.name.clone(),
            uid: self.uid.clone(),
            instance: self.instance.export(),
            channels: Channel::ALL.map(channel),
            chain: self.chain.export(),
            doubt: self.doubt,
            renewals: self.renewals.clone(),
            gaps: self.gaps.export(),
            causes: self.causes.clone(),
            ready: self.ready.clone(),
            flips_seen: self.flips_seen,
            flips: self.flips.clone(),
            losses_before: self.losses_before,
            losses: self.losses,
            last_report: self
                .last_report
                .map(|report| (report.sent, report.received)),
            since: self.since,
            counters: self.counters,
            coverage: self.coverage,
        }
    }
}
