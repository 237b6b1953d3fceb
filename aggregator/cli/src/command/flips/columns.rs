//! The columns of a list of flips.

use nodegrace_proto::v1;

use crate::show::{
    figure::{self, UNKNOWN},
    line::{Line, Tone},
    table::{Column, Shown},
};

/// The columns of a list of flips. On a narrow terminal the outage goes first, then the cause, which `node` tells as well.
pub(in crate::command) const COLUMNS: &[Column<v1::Flip>] = &[
    Column::text("NODE", |flip, _| flip.node_name.as_str().into()),
    Column::text("SEEN", |flip, _| figure::moment(flip.seen_time).into()),
    Column::text("KIND", |flip, _| kind(flip)),
    Column::figure("UNHEARD-FOR", |flip: &v1::Flip, _| {
        figure::seconds(flip.unheard_for).into()
    })
    .shown(Shown::WithRoom(5)),
    Column::figure("PROBABILITY", |flip: &v1::Flip, _| {
        let probability = flip.flip_probability;
        probability
            .map_or_else(figure::unknown, figure::share)
            .into()
    })
    .shown(Shown::Wide),
    Column::figure("UNREADY-FOR", |flip: &v1::Flip, _| unready(flip)).shown(Shown::WithRoom(6)),
    Column::figure("ADDRESSES", |flip, _| addresses(flip)),
    Column::figure("OUTAGE", |flip: &v1::Flip, _| {
        figure::seconds(flip.outage).into()
    })
    .shown(Shown::WithRoom(1)),
    Column::figure("EVICTED", |flip: &v1::Flip, _| {
        flip.evicted_addresses.to_string().into()
    })
    .shown(Shown::Wide),
    Column::figure("ENOUGH-GRACE", |flip: &v1::Flip, _| {
        let gap = flip.gap.as_ref();
        figure::setting(gap.and_then(|gap| gap.sufficient_grace_period)).into()
    })
    .shown(Shown::WithRoom(3)),
    Column::text("CAUSE", |flip: &v1::Flip, _| {
        let first = flip.causes.first();
        first
            .map_or_else(figure::unknown, |cause| figure::cause(cause.kind()))
            .into()
    })
    .shown(Shown::WithRoom(2)),
    Column::text("SEEN-BY", |flip: &v1::Flip, _| seen_by(flip).into()).shown(Shown::Wide),
    Column::text("REASON", |flip: &v1::Flip, _| {
        figure::text(&flip.reason).into()
    })
    .shown(Shown::Wide),
    Column::text("SERVICES", |flip: &v1::Flip, _| services(flip).into()).shown(Shown::Wide),
];

/// Why, in the colour of what can be done about it: nothing that is a node's habit is red.
fn kind(flip: &v1::Flip) -> Line {
    let tone = match flip.kind() {
        v1::FlipKind::HeartbeatLost | v1::FlipKind::ControllerStale => Tone::Bad,
        v1::FlipKind::KubeletNotReady => Tone::Near,
        _ => Tone::Plain,
    };
    let name = figure::name(flip.kind().as_str_name(), "FLIP_KIND_");
    Line::new(tone, name)
}

/// How long it was away.
fn unready(flip: &v1::Flip) -> Line {
    match (flip.unready_for, flip.deleted_time) {
        (Some(unready), _) => figure::seconds(Some(unready)).into(),
        (None, Some(_)) => "deleted".into(),
        // Only the watch sees a node come back, and it has not.
        (None, None) if flip.seen_by_watch && flip.ready_again_time.is_none() => {
            Line::new(Tone::Bad, "open")
        }
        (None, None) => UNKNOWN.into(),
    }
}

/// What it took along. Only the watch sees addresses.
fn addresses(flip: &v1::Flip) -> Line {
    if flip.seen_by_watch {
        flip.lost_addresses.to_string().into()
    } else {
        UNKNOWN.into()
    }
}

fn seen_by(flip: &v1::Flip) -> &'static str {
    match (flip.seen_by_watch, flip.seen_by_agent) {
        (true, true) => "watch,agent",
        (true, false) => "watch",
        (false, true) => "agent",
        (false, false) => UNKNOWN,
    }
}

fn services(flip: &v1::Flip) -> String {
    let services = flip.services.iter().map(|lost| {
        let (namespace, service) = (&lost.namespace, &lost.service);
        format!("{namespace}/{service}:{}", lost.addresses)
    });
    figure::some_of(services)
}
