//! The fleet's history of a node, part by part.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    AgentId, NodeSnapshot, Ready, WallTime,
    snapshot::{
        ChainSnapshot, ChannelSnapshot, Coverage, GapsSnapshot, InstanceSnapshot, LastArrival,
        LastHeartbeat, NodeCounters, Renewals,
    },
};
use nodegrace_proto::store::v1;

use super::{
    Malformed, causes,
    doubt::{doubt, renewal_count, to_count, to_doubt},
    figures::{
        channel, count, duration, flip, gap, losses, nanos, posts, since, sketch, status,
        to_channel, to_flip, to_gap, to_losses, to_posts, to_sketch, to_status, to_visibility,
        visibility,
    },
};

pub(super) fn to_disk(node: NodeSnapshot) -> v1::NodeHistory {
    let NodeSnapshot {
        name: _,
        uid,
        instance,
        channels: [lease, node_status],
        chain,
        doubt,
        renewals,
        gaps,
        causes,
        ready,
        flips_seen,
        flips,
        losses_before,
        losses,
        last_report,
        since,
        counters,
        coverage,
    } = node;
    v1::NodeHistory {
        uid: uid.map(|uid| uid.to_string()),
        current: instance
            .current
            .map(|agent| to_instance(&agent, instance.highest)),
        replaced: instance
            .replaced
            .iter()
            .map(|(agent, highest)| to_instance(agent, *highest))
            .collect(),
        lease: Some(to_channel_history(lease)),
        node_status: Some(to_channel_history(node_status)),
        chain: Some(to_chain(&chain)),
        doubt: doubt.as_ref().map(to_doubt),
        first_count: renewals.first.map(to_count),
        latest_count: renewals.latest.map(to_count),
        renewals_seen: renewals.seen.into_iter().map(to_span).collect(),
        gaps: Some(v1::GapHistory {
            all: Some(to_sketch(gaps.all)),
            rest: Some(to_sketch(gaps.rest)),
            exact: gaps.exact.iter().map(to_gap).collect(),
            dropped: gaps.dropped,
            unmeasured: gaps.unmeasured,
            uncounted: gaps.uncounted.iter().map(to_gap).collect(),
        }),
        ready: ready.map(|ready| v1::ReadyCondition {
            status: to_status(ready.status).into(),
            reason: ready.reason.to_string(),
            transition_unix_nanos: ready.transition.unix_nanos(),
        }),
        flips_seen,
        flips: flips.iter().map(to_flip).collect(),
        losses_before: Some(to_losses(losses_before)),
        losses: Some(to_losses(losses)),
        last_report: last_report.map(|(sent, received)| v1::LastReport {
            sent_nanos: nanos(sent),
            received_timeline_nanos: nanos(received),
        }),
        since_timeline_nanos: since.map(nanos),
        blind_spells: counters.blind_spells,
        blind_nanos: nanos(counters.blind),
        forgotten_records: counters.forgotten_records,
        duplicate_records: counters.duplicate_records,
        late_records: counters.late_records,
        begins_unix_nanos: coverage.begins.map(WallTime::unix_nanos),
        after_hole_unix_nanos: coverage.after_hole.map(WallTime::unix_nanos),
        causes: Some(causes::to_disk(causes)),
    }
}

pub(super) fn from_disk(name: &str, node: v1::NodeHistory) -> Result<NodeSnapshot, Malformed> {
    let gaps = node.gaps.unwrap_or_default();
    Ok(NodeSnapshot {
        name: Arc::from(name),
        uid: node.uid.map(Arc::from),
        instance: InstanceSnapshot {
            highest: node.current.as_ref().map_or(0, |agent| agent.highest),
            // Records come over streams, and none survives a restart.
            had_stream: node.current.is_some(),
            current: node.current.map(|agent| instance(agent).0),
            replaced: node.replaced.into_iter().map(instance).collect(),
        },
        channels: [
            channel_history(node.lease.unwrap_or_default())?,
            channel_history(node.node_status.unwrap_or_default())?,
        ],
        chain: chain(&node.chain.ok_or(Malformed("chain"))?)?,
        doubt: node.doubt.as_ref().map(doubt).transpose()?,
        renewals: Renewals {
            first: node.first_count.map(renewal_count),
            latest: node.latest_count.map(renewal_count),
            seen: node.renewals_seen.into_iter().map(span).collect(),
        },
        gaps: GapsSnapshot {
            all: sketch(gaps.all)?,
            rest: sketch(gaps.rest)?,
            exact: gaps.exact.iter().map(gap).collect::<Result<_, _>>()?,
            dropped: count(gaps.dropped),
            unmeasured: count(gaps.unmeasured),
            uncounted: gaps.uncounted.iter().map(gap).collect::<Result<_, _>>()?,
        },
        causes: node
            .causes
            .map(causes::from_disk)
            .transpose()?
            .unwrap_or_default(),
        ready: node
            .ready
            .map(|ready| {
                Ok(Ready {
                    status: status(ready.status())?,
                    transition: WallTime::from_unix_nanos(ready.transition_unix_nanos),
                    reason: Arc::from(ready.reason),
                })
            })
            .transpose()?,
        flips_seen: count(node.flips_seen),
        flips: node.flips.iter().map(flip).collect(),
        losses_before: losses(node.losses_before),
        losses: losses(node.losses),
        last_report: node.last_report.map(|report| {
            let received = duration(report.received_timeline_nanos);
            (duration(report.sent_nanos), received)
        }),
        since: node.since_timeline_nanos.map(duration),
        counters: NodeCounters {
            blind_spells: count(node.blind_spells),
            blind: duration(node.blind_nanos),
            forgotten_records: count(node.forgotten_records),
            duplicate_records: count(node.duplicate_records),
            late_records: count(node.late_records),
        },
        coverage: Coverage {
            begins: node.begins_unix_nanos.map(WallTime::from_unix_nanos),
            after_hole: node.after_hole_unix_nanos.map(WallTime::from_unix_nanos),
        },
    })
}

fn to_instance(agent: &AgentId, highest: u64) -> v1::Instance {
    v1::Instance {
        boot_id: agent.boot_id.to_string(),
        start_nanos: nanos(agent.start),
        highest,
    }
}

fn instance(instance: v1::Instance) -> (AgentId, u64) {
    let agent = AgentId {
        boot_id: Arc::from(instance.boot_id),
        start: duration(instance.start_nanos),
    };
    (agent, instance.highest)
}

fn to_channel_history(channel: ChannelSnapshot) -> v1::ChannelHistory {
    let (view, blind_since_nanos) = to_visibility(channel.view);
    v1::ChannelHistory {
        heartbeats: channel.heartbeats,
        uncredited_renewals: channel.uncredited_renewals,
        period: Some(to_sketch(channel.period)),
        delivery_delay: Some(to_sketch(channel.delivery_delay)),
        last: channel.last.map(|last| v1::LastHeartbeat {
            stamp_unix_nanos: last.stamp.unix_nanos(),
            resource_version: last.resource_version.to_string(),
            arrival_nanos: last.arrival.map(|(arrival, _)| nanos(arrival)),
            arrival_unix_nanos: last.arrival.map_or(0, |(_, time)| time.unix_nanos()),
        }),
        continuous: channel.continuous,
        awaits_baseline: channel.awaits_baseline,
        blindness: channel.blindness.map(to_span),
        spell: channel.spell.map(to_span),
        visibility: view.into(),
        blind_since_nanos,
    }
}

fn channel_history(channel: v1::ChannelHistory) -> Result<ChannelSnapshot, Malformed> {
    let view = visibility(channel.visibility(), channel.blind_since_nanos);
    let last = channel.last.map(|last| {
        let time = WallTime::from_unix_nanos(last.arrival_unix_nanos);
        LastHeartbeat {
            stamp: WallTime::from_unix_nanos(last.stamp_unix_nanos),
            resource_version: Arc::from(last.resource_version),
            arrival: last.arrival_nanos.map(|arrival| (duration(arrival), time)),
        }
    });
    Ok(ChannelSnapshot {
        heartbeats: count(channel.heartbeats),
        uncredited_renewals: count(channel.uncredited_renewals),
        period: sketch(channel.period)?,
        delivery_delay: sketch(channel.delivery_delay)?,
        last,
        continuous: channel.continuous,
        awaits_baseline: channel.awaits_baseline,
        blindness: channel.blindness.map(span),
        spell: channel.spell.map(span),
        view,
    })
}

fn to_chain(chain: &ChainSnapshot) -> v1::GapChain {
    v1::GapChain {
        last: chain.last.map(to_last_arrival),
        last_lease_nanos: chain.last_lease.map(nanos),
        last_post_nanos: chain.last_post.map(|(post, _)| nanos(post)),
        earlier_post_micros: chain
            .last_post
            .map_or_else(Vec::new, |(_, earlier)| to_posts(earlier)),
        begun: chain.begun,
        broken: chain.broken,
        blindness: chain.blindness.map(to_span),
        lease_unseen: chain.unseen[0].map(to_span),
        node_status_unseen: chain.unseen[1].map(to_span),
        delayed: chain.delayed.map(to_span),
        flip_seen: chain.flip_seen,
    }
}

pub(super) fn to_last_arrival(last: LastArrival) -> v1::LastArrival {
    v1::LastArrival {
        at_nanos: nanos(last.at),
        time_unix_nanos: last.time.unix_nanos(),
        channel: to_channel(last.channel).into(),
        uncertainty_nanos: nanos(last.uncertainty),
        since_lease_nanos: last.since_lease.map(nanos),
        earlier_post_micros: to_posts(last.earlier_posts),
    }
}

pub(super) fn last_arrival(last: &v1::LastArrival) -> Result<LastArrival, Malformed> {
    Ok(LastArrival {
        at: duration(last.at_nanos),
        time: WallTime::from_unix_nanos(last.time_unix_nanos),
        channel: channel(last.channel())?,
        uncertainty: duration(last.uncertainty_nanos),
        since_lease: last.since_lease_nanos.map(since),
        earlier_posts: posts(&last.earlier_post_micros),
    })
}

fn chain(chain: &v1::GapChain) -> Result<ChainSnapshot, Malformed> {
    Ok(ChainSnapshot {
        last: chain.last.as_ref().map(last_arrival).transpose()?,
        last_lease: chain.last_lease_nanos.map(duration),
        last_post: chain
            .last_post_nanos
            .map(|post| (duration(post), posts(&chain.earlier_post_micros))),
        begun: chain.begun,
        broken: chain.broken,
        blindness: chain.blindness.map(span),
        unseen: [
            chain.lease_unseen.map(span),
            chain.node_status_unseen.map(span),
        ],
        delayed: chain.delayed.map(span),
        flip_seen: chain.flip_seen,
    })
}

fn to_span((start, end): (Duration, Duration)) -> v1::Span {
    v1::Span {
        start_nanos: nanos(start),
        end_nanos: nanos(end),
    }
}

fn span(span: v1::Span) -> (Duration, Duration) {
    (duration(span.start_nanos), duration(span.end_nanos))
}
