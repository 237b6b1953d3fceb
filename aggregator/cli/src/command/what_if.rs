//! `what-if`: what other grace periods would have led to with the same heartbeats.

use std::time::Duration;

use clap::Args;
use nodegrace_proto::{prost_types, v1};

use super::{Answer, Session, doubt, not_by_name};
use crate::{
    args::Output,
    failure::{Failure, refused},
    show::{
        document,
        figure::{self, UNKNOWN},
        line::{Line, Tone},
        table::{Column, Shown, table},
    },
};

/// Which settings.
#[derive(Clone, Debug, Args)]
pub struct WhatIfArgs {
    /// Grace periods, such as 50s 60s. Default: the usual ones and the present one.
    #[arg(value_name = "GRACE", value_parser = humantime::parse_duration)]
    pub graces: Vec<Duration>,

    /// Monitor period to go with them. Default: the present one.
    #[arg(long, value_name = "DURATION", requires = "graces", value_parser = humantime::parse_duration)]
    pub monitor_period: Option<Duration>,
}

/// A grace period, and whether it is the present one.
struct Row {
    outcome: v1::GraceOutcome,
    now: bool,
}

const COLUMNS: &[Column<Row>] = &[
    Column::figure("GRACE", |row, _| grace(row)),
    Column::figure("FLIPS/DAY", |row, _| {
        estimate(row, |flips| figure::per_day(flips.per_day))
    }),
    Column::text("95%-INTERVAL", |row, _| {
        estimate(row, |flips| {
            figure::interval(flips.per_day_lower, flips.per_day_upper)
        })
    }),
    Column::text("BY", |row: &Row, _| {
        estimate(row, |flips| basis(flips.basis()).to_owned())
    })
    .shown(Shown::WithRoom(1)),
    Column::figure("NODES", |row, _| {
        // Where no gap was measured none was at risk, which says nothing.
        let known = row
            .outcome
            .estimate
            .map(|_| row.outcome.affected_node_count);
        known
            .map_or_else(figure::unknown, |nodes| nodes.to_string())
            .into()
    }),
    Column::figure("NOT-READY/DAY", |row: &Row, _| {
        figure::seconds(row.outcome.not_ready_per_day).into()
    })
    .shown(Shown::WithRoom(2)),
    Column::figure("PODS-LOST/DAY", |row: &Row, _| {
        let pods = row.outcome.lost_pods_per_day;
        pods.map_or_else(figure::unknown, figure::per_day).into()
    })
    .shown(Shown::Wide),
    Column::figure("DEAD-NOTICED-AFTER", |row, _| {
        figure::seconds(row.outcome.mean_detection).into()
    }),
    Column::figure("AT-LATEST", |row: &Row, _| {
        figure::seconds(row.outcome.latest_detection).into()
    })
    .shown(Shown::Wide),
    Column::text("WORST-NODE", |row: &Row, _| worst(row)).shown(Shown::Wide),
];

/// What they would have led to.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(session: &mut Session<'_>, args: &WhatIfArgs) -> Result<Answer, Failure> {
    not_by_name(session.show)?;
    let monitor_period = args.monitor_period.map(wire).transpose()?;
    let candidate = |grace: &Duration| {
        Ok::<_, Failure>(v1::GraceCandidate {
            grace_period: Some(wire(*grace)?),
            monitor_period,
        })
    };
    let request = v1::SimulateGraceRequest {
        candidates: args
            .graces
            .iter()
            .map(candidate)
            .collect::<Result<_, _>>()?,
        ..v1::SimulateGraceRequest::default()
    };
    let answer = session.queries.simulate_grace(request).await;
    let answer = answer
        .map_err(|status| refused("SimulateGrace", &status))?
        .into_inner();
    let text = match session.show.output {
        Output::Json => document::json(&answer)?,
        Output::Yaml => document::yaml(&answer)?,
        _ => {
            let rows = rows(&answer);
            table(COLUMNS, &rows, session.show.form(), session.screen)
        }
    };
    Ok(Answer::of(text).with_remark(doubt(answer.present.as_ref())))
}

fn rows(answer: &v1::SimulateGraceResponse) -> Vec<Row> {
    let present = answer.present.as_ref();
    let is_present = |outcome: &v1::GraceOutcome| {
        present.is_some_and(|present| {
            present.grace_period == outcome.grace_period
                && present.monitor_period == outcome.monitor_period
        })
    };
    let row = |outcome: &v1::GraceOutcome| Row {
        now: is_present(outcome),
        outcome: outcome.clone(),
    };
    answer.outcomes.iter().map(row).collect()
}

fn wire(duration: Duration) -> Result<prost_types::Duration, Failure> {
    let too_long = || Failure::Usage(format!("{duration:?} is too long"));
    duration.try_into().map_err(|_| too_long())
}

fn grace(row: &Row) -> Line {
    let grace = figure::setting(row.outcome.grace_period);
    if row.now {
        Line::new(Tone::Title, format!("now:{grace}"))
    } else {
        grace.into()
    }
}

fn estimate(row: &Row, figure: fn(&v1::FlipEstimate) -> String) -> Line {
    let estimate = row.outcome.estimate.as_ref();
    estimate.map_or_else(|| UNKNOWN.to_owned(), figure).into()
}

/// Where an estimate comes from, in a word.
pub(super) fn basis(basis: v1::EstimateBasis) -> &'static str {
    match basis {
        v1::EstimateBasis::Replayed => "replay",
        v1::EstimateBasis::Extrapolated => "tail-of-the-gaps",
        v1::EstimateBasis::HardlySeen => "too-little-seen",
        v1::EstimateBasis::Unspecified => UNKNOWN,
    }
}

fn worst(row: &Row) -> Line {
    let worst = row.outcome.affected_nodes.first();
    worst.map_or(UNKNOWN, |node| &node.node_name).into()
}
