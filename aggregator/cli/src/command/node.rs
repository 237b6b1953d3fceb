//! `node`: everything about one node, section by section.

mod reasons;
mod settings;

use clap::Args;
use nodegrace_proto::v1;
use tonic::Code;

use super::{
    Answer, PAGE, Session,
    fleet::{flips, gaps, losses},
    gaps::{dropped, length},
    node_names, top,
};
use crate::{
    args::{Output, WatchArgs, node_name},
    failure::{Failure, refused},
    show::{
        bar::margin_bar,
        chart, document,
        figure::{self, as_seconds},
        line::{Line, Tone, wrapped},
        screen::Screen,
        section::{entry, title, words},
    },
};

/// Which node.
#[derive(Clone, Debug, Args)]
pub struct NodeArgs {
    /// Its name in Kubernetes.
    #[arg(value_name = "NAME", value_parser = node_name)]
    pub name: String,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Everything about the node.
///
/// # Errors
/// When the aggregator refuses, or does not know the node.
pub async fn answer(session: &mut Session<'_>, args: &NodeArgs) -> Result<Answer, Failure> {
    let request = v1::GetNodeRequest {
        name: args.name.clone(),
    };
    let node = session.queries.get_node(request).await;
    let node = node
        .map_err(|status| refused("GetNode", &status))?
        .into_inner();
    let text = match session.show.output {
        Output::Json => document::json(&node)?,
        Output::Yaml => document::yaml(&node)?,
        Output::Name => node_names(std::iter::once(node.name.as_str())),
        Output::Table | Output::Wide => {
            let request = v1::ListGapsRequest {
                node_name: args.name.clone(),
                page_size: PAGE,
                ..v1::ListGapsRequest::default()
            };
            let list = match session.queries.list_gaps(request).await {
                Ok(list) => list.into_inner(),
                // No agent told of a gap of it; that the node is there the cluster's watch told.
                Err(status) if status.code() == Code::NotFound => v1::ListGapsResponse::default(),
                Err(status) => return Err(refused("ListGaps", &status)),
            };
            let text = text(&node, &list.gaps, session.screen);
            return Ok(Answer::of(text).with_remark(dropped(list.dropped_gaps)));
        }
    };
    Ok(Answer::of(text))
}

fn text(node: &v1::Node, gaps: &[v1::Gap], screen: &Screen) -> String {
    let longest = gaps
        .iter()
        .filter(|gap| !gap.causes.is_empty())
        .max_by(|one, other| length(one).total_cmp(&length(other)));
    [
        summary(node, screen),
        history(node, gaps, screen),
        settings::channels(node, screen),
        reasons::reasons(node, longest, screen),
        settings::settings(node, screen),
    ]
    .concat()
}

fn summary(node: &v1::Node, screen: &Screen) -> String {
    let head = Line::new(Tone::Title, &node.name).and(Tone::Plain, "  ");
    let mut text = head.render(screen) + &top::state(node).row(screen);
    if !node.state_reason.is_empty() {
        text += &wrapped(&node.state_reason, "", screen.text_width());
    }
    text += "\n";
    let entry = |name: &str, text: String| words(name, &text, screen);
    text += &entry("Gaps", self::gaps(node.gap.as_ref()));
    text += &margin(node, screen);
    text += &entry(
        "Flips",
        flips(node.expected_flips.as_ref(), node.flips_seen),
    );
    text += &entry("Running", running(node.running_gap.as_ref()));
    text += &entry(
        "Ready",
        node.ready.as_ref().map_or_else(figure::unknown, ready),
    );
    text += &entry(
        "Observed",
        node.observation
            .as_ref()
            .map_or_else(figure::unknown, observed),
    );
    if let Some(losses) = &node.losses {
        text += &entry("Losses", self::losses(losses));
    }
    text
}

fn margin(node: &v1::Node, screen: &Screen) -> String {
    let bar = margin_bar(node, screen);
    let Some(margin) = &node.margin else {
        return entry("Margin", &bar, screen);
    };
    let (p99, grace) = (
        figure::seconds(margin.p99),
        figure::setting(margin.grace_period),
    );
    let words = format!("  {p99} at p99 (grace {grace})");
    entry("Margin", &bar.and(Tone::Plain, words), screen)
}

fn running(gap: Option<&v1::RunningGap>) -> String {
    let Some(gap) = gap else {
        return "unknown".to_owned();
    };
    let (now, left) = (
        figure::seconds(gap.duration),
        figure::seconds(gap.earliest_flip_in),
    );
    let flips = gap
        .flip_probability_at_end
        .map(|probability| format!("; flips before it ends: {}", figure::share(probability)));
    format!("{now}, can flip in {left}{}", flips.unwrap_or_default())
}

fn ready(ready: &v1::Ready) -> String {
    let (status, reason) = (top::status(ready.status()), figure::text(&ready.reason));
    format!(
        "{status} ({reason}) since {}",
        figure::moment(ready.transition_time)
    )
}

fn observed(seen: &v1::Observation) -> String {
    let (measured, blind) = (figure::seconds(seen.measured), figure::seconds(seen.blind));
    let age = figure::seconds(seen.report_age);
    let stream = if seen.connected {
        "connected"
    } else {
        "not connected"
    };
    format!(
        "{measured} since {}, {blind} in {} blind spells; last report {age} ago, {stream}",
        figure::moment(seen.since_time),
        seen.blind_spells
    )
}

fn history(node: &v1::Node, gaps: &[v1::Gap], screen: &Screen) -> String {
    let grace = node.margin.as_ref().and_then(|margin| margin.grace_period);
    let arrivals = node
        .channels
        .iter()
        .filter_map(|figures| figures.last_arrival_time);
    let last = arrivals.max_by_key(|time| (time.seconds, time.nanos));
    let chart = chart::history(gaps, grace.map(as_seconds), last, screen);
    if chart.is_empty() {
        return String::new();
    }
    title("History of its long gaps", screen) + &chart
}
