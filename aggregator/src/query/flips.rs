//! `ListFlips`, and a flip for the wire: what the watch and the agent saw of it, with the gap that it came in.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    ControllerSettings, Gap, WallTime,
    cause::Explanation,
    cluster::{Flip, FlipKind, FlipRule, LostAddress, Service},
    sure_grace,
};
use nodegrace_proto::v1;
use tonic::Status;

use super::{cause, node, page, place::Place, risk};
use crate::{aggregator::Parts, register::Known, wire};

/// How far the controller's whole seconds are off at most, in nanoseconds.
const WHOLE_SECOND: i64 = 1_000_000_000;

/// What flips are ordered by.
#[derive(Clone, Copy, Debug)]
enum Figure {
    SeenTime,
    UnreadyFor,
}

/// The page of flips that `request` asks for.
pub(super) fn list(
    parts: &Parts,
    request: &v1::ListFlipsRequest,
) -> Result<v1::ListFlipsResponse, Status> {
    let size = page::page_size(request.page_size)?;
    let (figure, descending) = order(&request.order_by)?;
    let wanted = v1::FlipKind::try_from(request.kind)
        .map_err(|_| Status::invalid_argument("kind: is unknown"))?;
    let fingerprint = page::fingerprint(&[
        "flips",
        &request.node_name,
        &request.order_by,
        wanted.as_str_name(),
    ]);
    let after = Place::after(&request.page_token, fingerprint)?;
    let rule = parts.cluster.rule();
    let (all, missed) = {
        let cluster = parts.cluster.read();
        (cluster.flips().all(), cluster.missed())
    };
    let mut flips = page::Collector::new(size, after);
    for flip in &all {
        let of_node = request.node_name.is_empty() || *flip.node == *request.node_name;
        let of_kind = wanted == v1::FlipKind::Unspecified || wanted == kind(flip.kind(&rule));
        if of_node && of_kind {
            flips.take(place(flip, figure, descending), || flip);
        }
    }
    let (flips, next) = flips.page();
    let flips = flips.into_iter().map(|(place, flip)| {
        let seen = Seen::of(parts, flip);
        let all = |_: &LostAddress| request.addresses;
        (place, message(flip, seen.as_ref(), &rule, all))
    });
    let (flips, next) = page::fitting(flips, next);
    Ok(v1::ListFlipsResponse {
        flips,
        next_page_token: next.map_or_else(String::new, |place| place.token(fingerprint)),
        dropped_flips: missed.flips,
        dropped_addresses: missed.flip_addresses,
        warning: risk::doubts(&parts.cluster),
    })
}

fn order(order_by: &str) -> Result<(Figure, bool), Status> {
    let words: Vec<&str> = order_by.split_whitespace().collect();
    match words[..] {
        [] | ["seen_time", "desc"] => Ok((Figure::SeenTime, true)),
        ["seen_time"] => Ok((Figure::SeenTime, false)),
        ["unready_for", "desc"] => Ok((Figure::UnreadyFor, true)),
        ["unready_for"] => Ok((Figure::UnreadyFor, false)),
        _ => Err(Status::invalid_argument(
            "order_by: must be \"seen_time\" or \"unready_for\", each with an optional \" desc\"",
        )),
    }
}

fn place(flip: &Flip, figure: Figure, descending: bool) -> Place {
    let seen = flip.time().unix_nanos();
    let figure = match figure {
        Figure::SeenTime => seen,
        Figure::UnreadyFor => flip.unready_for().map_or(i64::MAX, |unready| {
            i64::try_from(unready.as_nanos()).unwrap_or(i64::MAX)
        }),
    };
    let numbers = (seen, flip.transition.unix_nanos());
    Place::new(figure, descending, numbers, Arc::clone(&flip.node))
}

/// What the agent of a node saw of the gap that a flip came in.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The gap.
    pub(super) gap: Gap,
    /// Why it was long. Absent: not known.
    pub(super) why: Option<Explanation>,
}

impl Seen {
    /// What is known of the gap of a flip. Absent: it has not ended, or was not measured.
    pub(super) fn of(parts: &Parts, flip: &Flip) -> Option<Self> {
        parts
            .register
            .node(&flip.node, |known| Self::among(known, flip))
            .flatten()
    }

    fn among(known: Known<'_>, flip: &Flip) -> Option<Self> {
        // By the node's clock where the agent saw it, which is the clock of gaps; the controller's is another, in whole seconds.
        let (time, off) = match flip.agent_seen {
            Some(time) => (time, 0),
            None => (flip.transition, WHOLE_SECOND),
        };
        let within = |gap: &&Gap| {
            gap.flip_seen
                && gap.start_time.unix_nanos() - off <= time.unix_nanos()
                && time.unix_nanos() <= gap.end_time.unix_nanos() + off
        };
        let mut gaps = known
            .history
            .gaps()
            .exact()
            .chain(known.history.uncounted_gaps());
        let gap = *gaps.find(within)?;
        Some(Self {
            gap,
            why: known.history.explanation(&gap).cloned(),
        })
    }
}

/// A flip for the wire, with those of its addresses that `shows` picks.
pub(super) fn message(
    flip: &Flip,
    seen: Option<&Seen>,
    rule: &FlipRule,
    shows: impl Fn(&LostAddress) -> bool,
) -> v1::Flip {
    let settings = rule.settings();
    let time = |time: WallTime| wire::to_timestamp(time);
    let evicted = flip.lost.iter().filter(|lost| lost.gone.is_some()).count();
    v1::Flip {
        node_name: flip.node.to_string(),
        kind: kind(flip.kind(rule)).into(),
        status: node::status(flip.status).into(),
        reason: flip.reason.to_string(),
        transition_time: Some(time(flip.transition)),
        seen_time: Some(time(flip.time())),
        seen_by_watch: flip.seen.is_some(),
        seen_by_agent: flip.agent_seen.is_some(),
        unheard_for: flip.after.map(wire::to_duration),
        flip_probability: flip.probability(settings),
        ready_again_time: flip.ready_again.map(time),
        deleted_time: flip.deleted.map(time),
        unready_for: flip.unready_for().map(wire::to_duration),
        gap: seen.map(|seen| gap(&seen.gap, settings)),
        causes: seen
            .and_then(|seen| seen.why.as_ref())
            .map(cause::of_gap)
            .unwrap_or_default(),
        taints: flip.taints.iter().map(ToString::to_string).collect(),
        services: flip
            .services()
            .into_iter()
            .map(|(service, addresses)| lost_service(service, addresses))
            .collect(),
        addresses: flip
            .lost
            .iter()
            .filter(|lost| shows(lost))
            .map(address)
            .collect(),
        lost_addresses: flip.lost_count,
        evicted_addresses: evicted as u64,
        outage: outage(flip).map(wire::to_duration),
        unknown_time: flip.went_on.map(time),
        lost_pods: flip.pods() as u64,
        ended_unseen: flip.ended_unseen,
    }
}

/// From the first address that left to the last that came back. Absent: none is back, or one of them was told late.
fn outage(flip: &Flip) -> Option<Duration> {
    if flip.lost.iter().any(|lost| lost.late) {
        return None;
    }
    let left = flip.lost.iter().map(|lost| lost.left).min()?;
    let back = flip.lost.iter().filter_map(|lost| lost.returned).max()?;
    back.since(left).positive()
}

fn gap(gap: &Gap, settings: &ControllerSettings) -> v1::FlipGap {
    let idle = settings.sufficient_grace(gap.duration, gap.start());
    v1::FlipGap {
        start_time: Some(wire::to_timestamp(gap.start_time)),
        end_time: Some(wire::to_timestamp(gap.end_time)),
        duration: Some(wire::to_duration(gap.duration)),
        flip_probability: gap.flip_probability(settings),
        sufficient_grace_period: Some(wire::to_duration(sure_grace(gap.duration))),
        idle_sufficient_grace_period: Some(wire::to_duration(idle)),
    }
}

fn lost_service(service: &Service, addresses: u64) -> v1::LostService {
    v1::LostService {
        namespace: service.namespace.to_string(),
        service: service.name.to_string(),
        addresses,
    }
}

fn address(lost: &LostAddress) -> v1::LostAddress {
    v1::LostAddress {
        namespace: lost.service.namespace.to_string(),
        service: lost.service.name.to_string(),
        address: lost.address.to_string(),
        pod_name: lost.pod.as_deref().unwrap_or_default().to_owned(),
        left_time: Some(wire::to_timestamp(lost.left)),
        returned_time: lost.returned.map(wire::to_timestamp),
        gone_time: lost.gone.map(wire::to_timestamp),
        late: lost.late,
    }
}

/// A kind for the wire.
pub(super) const fn kind(kind: FlipKind) -> v1::FlipKind {
    match kind {
        FlipKind::HeartbeatLost => v1::FlipKind::HeartbeatLost,
        FlipKind::KubeletNotReady => v1::FlipKind::KubeletNotReady,
        FlipKind::ControllerStale => v1::FlipKind::ControllerStale,
        FlipKind::NodeRebooted => v1::FlipKind::NodeRebooted,
        FlipKind::NodeDeleted => v1::FlipKind::NodeDeleted,
    }
}
