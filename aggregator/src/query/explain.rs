//! `ExplainEndpoint`: why addresses of a Service went away and came back, told in the order in which it happened.

mod words;

use std::{collections::HashSet, sync::Arc};

use nodegrace_core::{
    WallTime,
    cluster::{AddressChange, Endpoint, Flip, LostAddress, Service, What},
};
use nodegrace_proto::v1;
use tonic::Status;

use self::words::Story;
use super::{
    flips::{self, Seen},
    risk,
};
use crate::{aggregator::Parts, wire};

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
    let service = Service {
        namespace: request.namespace.as_str().into(),
        name: request.service.as_str().into(),
    };
    let told = Told::of(parts, &service, since)?;
    let rule = parts.cluster.rule();
    let mut entries = Vec::new();
    let mut told_flips = Vec::new();
    for (number, flip) in (0_u32..).zip(&told.flips) {
        let seen = Seen::of(parts, flip);
        let story = Story {
            service: &service,
            rule: &rule,
            flip,
            seen: seen.as_ref(),
        };
        entries.extend(story.entries().map(|entry| v1::TimelineEntry {
            flip: Some(number),
            ..entry
        }));
        let own = |lost: &LostAddress| lost.service == service;
        told_flips.push(flips::message(flip, seen.as_ref(), &rule, own));
    }
    entries.extend(told.changes.iter().map(words::change));
    entries.sort_by_key(|entry| entry.time.map(|time| (time.seconds, time.nanos)));
    let dropped = entries.len().saturating_sub(most);
    entries.drain(..dropped);
    Ok(v1::ExplainEndpointResponse {
        summary: words::summary(&service, &told.flips, &rule, told.now.as_ref()),
        entries,
        flips: told_flips,
        dropped_entries: dropped as u64 + told.dropped,
        ready_addresses: told.now.as_ref().map(|now| now.ready),
        addresses: told.now.as_ref().map(|now| now.all),
        warning: warning(parts, since, told.changes_since),
        changes_since_time: told.changes_since.map(wire::to_timestamp),
        dropped_addresses: told.dropped_addresses,
    })
}

/// What is known of a Service.
struct Told {
    flips: Vec<Arc<Flip>>,
    /// Changes that belong to no flip.
    changes: Vec<AddressChange>,
    /// Since when these are known. Absent: they are not.
    changes_since: Option<WallTime>,
    /// Absent: no list says. A Service that is in none has no addresses.
    now: Option<Addresses>,
    dropped: u64,
    dropped_addresses: u64,
}

/// Addresses of a Service now.
struct Addresses {
    ready: u32,
    all: u32,
}

impl Addresses {
    fn of<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Self {
        let mut now = Self { ready: 0, all: 0 };
        for endpoint in endpoints {
            now.all += 1;
            now.ready += u32::from(endpoint.ready);
        }
        now
    }
}

impl Told {
    /// Reads it. The cluster is looked at for a moment only, and what it kept is looked through after that.
    fn of(parts: &Parts, service: &Service, since: Option<WallTime>) -> Result<Self, Status> {
        let was_listed = risk::was_listed(&parts.cluster.slices());
        let (flips, kept, listed, complete_since, missed) = {
            let cluster = parts.cluster.read();
            (
                cluster.flips().all(),
                cluster.changes(),
                cluster.endpoints_of(service).map(Addresses::of),
                cluster.changes_since(),
                cluster.missed(),
            )
        };
        let is_new = |time: WallTime| since.is_none_or(|since| time >= since);
        let concerns = |flip: &Arc<Flip>| {
            let mut own = flip.lost.iter().filter(|lost| lost.service == *service);
            // One that is still away is of now.
            own.any(|lost| lost.returned.or(lost.gone).is_none_or(is_new))
        };
        let mut flips: Vec<Arc<Flip>> = flips.into_iter().filter(concerns).collect();
        flips.sort_by_key(|flip| flip.time());
        let dropped = flips.len().saturating_sub(MOST_FLIPS);
        flips.drain(..dropped);
        let own = flips.iter().flat_map(|flip| &flip.lost);
        let of_flips: HashSet<(&str, WallTime)> = own
            .filter(|lost| lost.service == *service)
            .flat_map(|lost| {
                let times = [Some(lost.left), lost.returned, lost.gone];
                times
                    .into_iter()
                    .flatten()
                    .map(|time| (&*lost.address, time))
            })
            .collect();
        let changes: Vec<AddressChange> = kept
            .of(service)
            .filter(|change| is_new(change.moment.time) && change.what != What::Gone)
            .filter(|change| !of_flips.contains(&(&*change.endpoint.address, change.moment.time)))
            .cloned()
            .collect();
        if listed.is_none() && flips.is_empty() && changes.is_empty() {
            was_listed?;
            return Err(Status::not_found(format!(
                "there is no Service {service} with EndpointSlices, and nothing is kept of one"
            )));
        }
        let none = Addresses { ready: 0, all: 0 };
        let now = listed.or_else(|| was_listed.is_ok().then_some(none));
        // Changes that made room for newer ones are not known any more, nor are those that are too old.
        let oldest = kept.oldest().map(|change| change.moment.time);
        let past = oldest.filter(|_| missed.changes > 0);
        Ok(Self {
            flips,
            changes,
            changes_since: complete_since.map(|since| past.map_or(since, |past| past.max(since))),
            now,
            dropped: dropped as u64,
            dropped_addresses: missed.flip_addresses,
        })
    }
}

/// What is doubtful about the story of what was asked for, in words.
fn warning(parts: &Parts, asked: Option<WallTime>, known: Option<WallTime>) -> String {
    let doubts = risk::doubts(&parts.cluster);
    let unknown = known.filter(|known| asked.is_some_and(|asked| asked < *known));
    match (doubts.is_empty(), unknown) {
        (true, Some(_)) => {
            "changes that no flip led to are not known for all of that time: see changes_since_time"
                .to_owned()
        }
        _ => doubts,
    }
}
