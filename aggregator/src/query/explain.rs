//! `ExplainEndpoint`: why addresses of a Service went away and came back, told in the order in which it happened.

mod words;

use nodegrace_core::{
    WallTime,
    cluster::{AddressChange, Flip, LostAddress, Service, What},
};
use nodegrace_proto::v1;
use tonic::Status;

use self::words::Story;
use super::{
    flips::{self, Seen},
    risk,
};
use crate::{aggregator::Parts, cluster::Phase, wire};

/// Entries where no number is asked for, and the most.
const DEFAULT_ENTRIES: usize = 200;
const MOST_ENTRIES: usize = 1000;
/// Flips told of one Service, the latest: what is told of each is a few kilobytes.
const MOST_FLIPS: usize = 100;

/// The story that `request` asks for.
pub(super) fn story(
    parts: &Parts,
    request: &v1::ExplainEndpointRequest,
) -> Result<v1::ExplainEndpointResponse, Status> {
    for (field, value) in [
        ("namespace", &request.namespace),
        ("service", &request.service),
    ] {
        if value.is_empty() {
            return Err(Status::invalid_argument(format!("{field}: is missing")));
        }
    }
    let since = request
        .since_time
        .map(wire::time)
        .transpose()
        .map_err(|reason| Status::invalid_argument(format!("since_time: {reason}")))?;
    let most = match usize::try_from(request.max_entries) {
        Ok(0) => DEFAULT_ENTRIES,
        Ok(most) => most.min(MOST_ENTRIES),
        Err(_) => {
            return Err(Status::invalid_argument(
                "max_entries: must not be negative",
            ));
        }
    };
    let phase = parts.cluster.slices().phase;
    risk::was_listed(phase)?;
    let service = Service {
        namespace: request.namespace.as_str().into(),
        name: request.service.as_str().into(),
    };
    let told = Told::of(parts, &service, since)?;
    let settings = &parts.config.fleet.controller;
    let mut entries = Vec::new();
    let mut told_flips = Vec::new();
    for (number, flip) in (0_u32..).zip(&told.flips) {
        let seen = Seen::of(parts, flip);
        let story = Story {
            service: &service,
            settings,
            flip,
            seen: seen.as_ref(),
        };
        entries.extend(story.entries().map(|entry| v1::TimelineEntry {
            flip: Some(number),
            ..entry
        }));
        let own = |lost: &LostAddress| lost.service == service;
        told_flips.push(flips::message(flip, seen.as_ref(), settings, own));
    }
    entries.extend(told.changes.iter().map(words::change));
    entries.sort_by_key(|entry| entry.time.map(|time| (time.seconds, time.nanos)));
    let dropped = entries.len().saturating_sub(most);
    entries.drain(..dropped);
    Ok(v1::ExplainEndpointResponse {
        summary: words::summary(&service, &told.flips, settings, &told.now),
        entries,
        flips: told_flips,
        dropped_entries: dropped as u64 + told.dropped,
        ready_addresses: told.now.ready,
        addresses: told.now.all,
        warning: warning(phase, parts),
    })
}

/// What is known of a Service.
struct Told {
    flips: Vec<Flip>,
    /// Changes that belong to no flip.
    changes: Vec<AddressChange>,
    now: Addresses,
    dropped: u64,
}

/// Addresses of a Service now.
struct Addresses {
    ready: u32,
    all: u32,
}

impl Told {
    /// Reads it under one lock.
    fn of(parts: &Parts, service: &Service, since: Option<WallTime>) -> Result<Self, Status> {
        let cluster = parts.cluster.read();
        let is_new = |time: WallTime| since.is_none_or(|since| time >= since);
        let concerns = |flip: &&Flip| {
            let mut own = flip.lost.iter().filter(|lost| lost.service == *service);
            // One that is still away is of now.
            own.any(|lost| lost.returned.or(lost.gone).is_none_or(is_new))
        };
        let mut flips: Vec<Flip> = cluster.flips().iter().filter(concerns).cloned().collect();
        flips.sort_by_key(Flip::time);
        let dropped = flips.len().saturating_sub(MOST_FLIPS);
        flips.drain(..dropped);
        let of_flip = |change: &AddressChange| {
            let lost = flips.iter().flat_map(|flip| &flip.lost);
            lost.filter(|lost| lost.service == *service && lost.address == change.endpoint.address)
                .any(|lost| {
                    let time = Some(change.moment.time);
                    time == Some(lost.left) || time == lost.returned || time == lost.gone
                })
        };
        let changes = cluster.changes_of(service);
        let changes: Vec<AddressChange> = changes
            .filter(|change| is_new(change.moment.time) && !of_flip(change))
            .filter(|change| change.what != What::Gone)
            .cloned()
            .collect();
        let endpoints = cluster.endpoints_of(service);
        if endpoints.is_none() && flips.is_empty() && changes.is_empty() {
            return Err(Status::not_found(format!(
                "there is no Service {service} with EndpointSlices, and nothing is kept of one"
            )));
        }
        let mut now = Addresses { ready: 0, all: 0 };
        for endpoint in endpoints.into_iter().flatten() {
            now.all += 1;
            now.ready += u32::from(endpoint.ready);
        }
        Ok(Self {
            flips,
            changes,
            now,
            dropped: dropped as u64,
        })
    }
}

fn warning(slices: Phase, parts: &Parts) -> String {
    let nodes = parts.cluster.nodes().phase;
    match (slices, nodes) {
        (Phase::Behind, _) => {
            "the watch of EndpointSlices is broken: the latest changes are missing"
        }
        (_, Phase::Complete) => return String::new(),
        _ => "the watch of Nodes is not up to date: the latest flips may be missing",
    }
    .to_owned()
}
