//! The story of a Service as people read it: what happened in order, then its flips and its addresses side by side.

use nodegrace_proto::{
    prost_types::Timestamp,
    v1::{self, TimelineKind},
};

use super::super::flips;
use crate::show::{
    figure::{self, UNKNOWN},
    line::{Line, Tone, wrapped, wrapped_after},
    screen::Screen,
    section::title,
    table::{Column, Form, Shown, table},
};

/// An address that a flip took away.
struct Away {
    node: String,
    lost: v1::LostAddress,
}

const ADDRESSES: &[Column<Away>] = &[
    Column::text("ADDRESS", |away, _| away.lost.address.as_str().into()),
    Column::text("POD", |away: &Away, _| {
        figure::text(&away.lost.pod_name).into()
    })
    .shown(Shown::WithRoom(2)),
    Column::text("NODE", |away, _| away.node.as_str().into()),
    Column::text("LEFT", |away, _| figure::moment(away.lost.left_time).into()),
    Column::text("BACK", |away: &Away, _| back(&away.lost)).shown(Shown::WithRoom(1)),
    Column::figure("AWAY", |away, _| away_for(&away.lost)),
];

/// The story.
pub(super) fn text(story: &v1::ExplainEndpointResponse, form: Form, screen: &Screen) -> String {
    let mut text = wrapped(&story.summary, "", screen.text_width());
    if !story.entries.is_empty() {
        text += &title("What happened", screen);
    }
    if story.dropped_entries > 0 {
        let older = format!("... {} older entries", story.dropped_entries);
        text += &Line::new(Tone::Dim, older).row(screen);
    }
    for entry in &story.entries {
        text += &told(entry, screen);
    }
    let lost: Vec<Away> = story
        .flips
        .iter()
        .flat_map(|flip| {
            flip.addresses.iter().map(|lost| Away {
                node: flip.node_name.clone(),
                lost: lost.clone(),
            })
        })
        .collect();
    if !lost.is_empty() {
        text += &title("Addresses", screen);
        text += &table(ADDRESSES, &lost, form, screen);
    }
    if !story.flips.is_empty() {
        text += &title("Flips", screen);
        text += &table(flips::COLUMNS, &story.flips, form, screen);
    }
    text
}

/// One thing that happened, beside its time.
fn told(entry: &v1::TimelineEntry, screen: &Screen) -> String {
    let time = Line::new(Tone::Dim, figure::moment(entry.time)).and(Tone::Plain, "  ");
    let indent = " ".repeat(time.width());
    let lines = wrapped_after(&entry.sentence, &indent, screen.text_width());
    lines
        .iter()
        .enumerate()
        .map(|(number, line)| {
            let before = if number == 0 {
                time.clone()
            } else {
                Line::from(indent.as_str())
            };
            before.and(tone(entry.kind()), line).row(screen)
        })
        .collect()
}

const fn tone(kind: TimelineKind) -> Tone {
    match kind {
        TimelineKind::Flip | TimelineKind::AddressLeft | TimelineKind::AddressRemoved => Tone::Bad,
        TimelineKind::AddressReturned | TimelineKind::NodeReady => Tone::Good,
        TimelineKind::Remedy => Tone::Title,
        _ => Tone::Plain,
    }
}

fn back(lost: &v1::LostAddress) -> Line {
    match (lost.returned_time, lost.gone_time) {
        (Some(back), _) => figure::moment(Some(back)).into(),
        (None, Some(_)) => "evicted".into(),
        (None, None) => Line::new(Tone::Bad, "no"),
    }
}

/// From when it left to when it was back, where somebody saw both as they happened.
fn away_for(lost: &v1::LostAddress) -> Line {
    if lost.late {
        return UNKNOWN.into();
    }
    let (Some(left), Some(back)) = (lost.left_time, lost.returned_time) else {
        return UNKNOWN.into();
    };
    let nanoseconds =
        |time: Timestamp| i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    let away = (nanoseconds(back) - nanoseconds(left)) as f64 / 1e9;
    figure::of_seconds(away).into()
}
