//! `recommend`: the grace period to set; and, with `--check`, whether the one that is set will do.

use clap::Args;
use nodegrace_proto::v1;

use super::{Answer, Session, doubt, fleet, not_by_name, remarks};
use crate::{
    args::Output,
    failure::{Failure, refused},
    show::{
        document,
        figure::{as_seconds, setting},
        line::{Line, Tone, wrapped},
        screen::Screen,
        section::title,
    },
};

/// The goal.
#[derive(Clone, Copy, Debug, Args)]
pub struct RecommendArgs {
    /// False flips accepted per 1,000 nodes in 30 days. Default: 1.
    #[arg(long, value_name = "FLIPS")]
    pub target: Option<f64>,

    /// Ends with 3 when the live grace period misses the target or a check that a longer one would meet, and with 4 when too little
    /// is known to tell.
    #[arg(long)]
    pub check: bool,
}

/// Exit code of --check where the live grace period misses the target.
pub const MISSED: u8 = 3;
/// Exit code of --check where it cannot be told.
pub const UNTOLD: u8 = 4;

/// The recommendation.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(session: &mut Session<'_>, args: &RecommendArgs) -> Result<Answer, Failure> {
    not_by_name(session.show)?;
    let request = v1::RecommendRequest {
        flips_per_thousand_nodes_month: args.target,
        ..v1::RecommendRequest::default()
    };
    let answer = session.queries.recommend(request).await;
    let answer = answer
        .map_err(|status| refused("Recommend", &status))?
        .into_inner();
    let controller = fleet(&mut session.queries).await?.controller;
    let text = match session.show.output {
        Output::Json => document::json(&answer)?,
        Output::Yaml => document::yaml(&answer)?,
        _ => text(&answer, session.screen),
    };
    let (code, verdict) = match args.check.then(|| verdict(&answer)) {
        None => (0, None),
        Some((code, words)) => (code, Some(format!("check: {words}"))),
    };
    let remark = remarks([doubt(controller.as_ref()), verdict]);
    Ok(Answer {
        code,
        ..Answer::of(text).with_remark(remark)
    })
}

fn text(answer: &v1::RecommendResponse, screen: &Screen) -> String {
    let mut text = wrapped(&answer.summary, "", screen.text_width());
    if !answer.checks.is_empty() {
        text += &title("Checks", screen);
    }
    for check in &answer.checks {
        let (word, tone) = match check.outcome() {
            v1::CheckOutcome::Holds => ("holds", Tone::Good),
            v1::CheckOutcome::Fails => ("fails", Tone::Bad),
            _ => ("unknown", Tone::Dim),
        };
        let line = Line::new(tone, format!("{word:9}")).and(Tone::Plain, &check.rule);
        text += &line.row(screen);
        text += &wrapped(&check.reason, "         ", screen.text_width());
    }
    for settings in &answer.settings {
        text += &title(&format!("{}:", settings.place), screen);
        for line in settings.text.lines() {
            // As it is to be pasted: not wrapped.
            text += &Line::from(format!("  {line}")).row(screen);
        }
    }
    text
}

/// What the answer means for the live grace period.
fn verdict(answer: &v1::RecommendResponse) -> (u8, String) {
    let grace = |outcome: &Option<v1::GraceOutcome>| outcome.as_ref()?.grace_period;
    let live = grace(&answer.present);
    if let (Some(live), Some(wanted)) = (live, grace(&answer.recommended)) {
        let (now, wanted_text) = (setting(Some(live)), setting(Some(wanted)));
        return if as_seconds(wanted) > as_seconds(live) {
            let words = format!("misses the target, {wanted_text} meets it");
            (MISSED, format!("the live grace period of {now} {words}"))
        } else {
            (
                0,
                format!("the live grace period of {now} meets the target"),
            )
        };
    }
    match answer.shortage.as_ref().map(v1::Shortage::kind) {
        Some(v1::ShortageKind::OutOfReach) => {
            let words =
                "the live grace period misses the target, and so does any other that is considered";
            (MISSED, words.to_owned())
        }
        _ => (UNTOLD, "too little is known to tell".to_owned()),
    }
}
