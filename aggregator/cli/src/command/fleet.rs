//! `fleet`: totals, and how good the data is.

use clap::Args;
use nodegrace_proto::v1;

use super::{Answer, Session, doubt, fleet, not_by_name};
use crate::{
    args::{Output, WatchArgs},
    failure::Failure,
    show::{
        document, figure,
        line::wrapped,
        screen::Screen,
        section::{title, words},
    },
};

/// Names told of what lacks something: `GetFleet` has more.
const MOST_NAMES: usize = 10;

/// Whether to go on.
#[derive(Clone, Copy, Debug, Args)]
pub struct FleetArgs {
    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// The totals.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(session: &mut Session<'_>) -> Result<Answer, Failure> {
    not_by_name(session.show)?;
    let fleet = fleet(&mut session.queries).await?;
    let text = match session.show.output {
        Output::Json => document::json(&fleet)?,
        Output::Yaml => document::yaml(&fleet)?,
        _ => text(&fleet, session.screen),
    };
    Ok(Answer::of(text).with_remark(doubt(fleet.controller.as_ref())))
}

fn text(fleet: &v1::Fleet, screen: &Screen) -> String {
    let entry = |name: &str, text: String| words(name, &text, screen);
    let states = fleet.states.iter().map(|count| {
        let state = figure::name(count.state().as_str_name(), "STATE_");
        format!("{} {state}", count.nodes)
    });
    let states: Vec<String> = states.collect();
    // Those included of which only the cluster's watch tells.
    let nodes: u64 = fleet.states.iter().map(|count| count.nodes).sum();
    let mut text = entry("Nodes", format!("{nodes} ({})", states.join(", ")));
    text += &entry("Agents", agents(fleet));
    text += &entry(
        "Grace",
        fleet
            .controller
            .as_ref()
            .map_or_else(figure::unknown, controller),
    );
    text += &entry("Gaps", gaps(fleet.gap.as_ref()));
    text += &entry(
        "Flips",
        flips(fleet.expected_flips.as_ref(), fleet.flips_seen),
    );
    text += &entry("Heartbeats", fleet.heartbeats.to_string());
    text += &entry(
        "Losses",
        fleet
            .losses
            .as_ref()
            .map_or_else(|| "none".to_owned(), losses),
    );
    if let Some(history) = &fleet.history {
        text += &entry("History", self::history(history));
        if !history.store_error.is_empty() {
            text += &entry(
                "Disk",
                format!("cannot be written: {}", history.store_error),
            );
        }
    }
    if let Some(refusals) = fleet
        .refusals
        .filter(|some| *some != v1::Refusals::default())
    {
        text += &entry("Refused", self::refusals(refusals));
    }
    let shared = fleet.shared_causes.iter().filter(|cause| cause.nodes > 1);
    let shared: Vec<&v1::SharedCause> = shared.collect();
    if !shared.is_empty() {
        text += &title("What nodes share, in the last hour", screen);
    }
    for cause in shared {
        text += &wrapped(&cause.sentence, "  ", screen.text_width());
    }
    text
}

/// The agents, and what lacks one: which nodes there are only the cluster's watch knows.
fn agents(fleet: &v1::Fleet) -> String {
    let connected = format!("{} connected", fleet.connected_agents);
    let Some(coverage) = &fleet.agent_coverage else {
        return format!("{connected}; which nodes have none is not known: see --watch-cluster");
    };
    let lacks = [
        (
            coverage.without_agent,
            "without an agent",
            &coverage.without_agent_names,
        ),
        (
            coverage.silent_agents,
            "Ready with a silent agent",
            &coverage.silent_agent_names,
        ),
        (
            coverage.without_node,
            "agents without a Node",
            &coverage.without_node_names,
        ),
    ];
    let mut parts = vec![
        connected,
        format!("{} nodes in the cluster", coverage.nodes),
    ];
    let lacks = lacks.into_iter().filter(|(number, ..)| *number > 0);
    parts.extend(
        lacks.map(|(number, what, names)| format!("{number} {what} ({})", some(names, number))),
    );
    parts.join(", ")
}

/// The first names of so many.
fn some(names: &[String], all: u64) -> String {
    let shown = &names[..names.len().min(MOST_NAMES)];
    let rest = all.saturating_sub(shown.len() as u64);
    let more = if rest > 0 {
        format!(" and {rest} more")
    } else {
        String::new()
    };
    shown.join(", ") + &more
}

fn controller(settings: &v1::ControllerSettings) -> String {
    let (grace, period) = (
        figure::setting(settings.grace_period),
        figure::setting(settings.monitor_period),
    );
    let inferred = settings.inferred.as_ref().map(|inferred| {
        let ends = [
            inferred.shortest_grace_period,
            inferred.effective_grace_period,
        ];
        let [shortest, longest] = ends.map(figure::seconds);
        let flips = match inferred.flips {
            1 => "1 flip points".to_owned(),
            flips => format!("{flips} flips point"),
        };
        format!("; {flips} to {shortest}..{longest}")
    });
    let basis = figure::text(&settings.basis);
    format!(
        "{grace}, looked at every {period} ({basis}{})",
        inferred.unwrap_or_default()
    )
}

/// A distribution in one line.
pub(super) fn gaps(gap: Option<&v1::Quantiles>) -> String {
    let Some(gap) = gap.filter(|gap| gap.count > 0) else {
        return "none measured".to_owned();
    };
    let [p50, p90, p99, p999, max] = [gap.p50, gap.p90, gap.p99, gap.p999, gap.max];
    let [p50, p90, p99, p999, max] = [p50, p90, p99, p999, max].map(figure::seconds);
    format!(
        "p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, max {max} ({} measured)",
        gap.count
    )
}

/// Expected and seen flips in one line.
pub(super) fn flips(expected: Option<&v1::ExpectedFlips>, seen: u64) -> String {
    let expected = expected.map_or_else(
        || "unknown how many are expected".to_owned(),
        |flips| {
            let interval = (flips.per_day_lower, flips.per_day_upper);
            format!(
                "{} a day expected by replay (95 % interval {} to {})",
                figure::per_day(flips.per_day),
                figure::per_day(interval.0),
                figure::per_day(interval.1)
            )
        },
    );
    format!("{expected}, {seen} seen")
}

/// What was lost, in one line.
pub(super) fn losses(losses: &v1::Losses) -> String {
    format!(
        "{} heartbeats, {} samples and {} other records dropped, {} records refused",
        losses.dropped_heartbeats,
        losses.dropped_samples,
        losses.dropped_others,
        losses.rejected_records
    )
}

fn refusals(refusals: v1::Refusals) -> String {
    format!(
        "{} questions, {} connections and {} batches of nodes beyond the most; {} batches came too fast and had to wait; {} answers by HTTP \
         were read too slowly",
        refusals.queries,
        refusals.connections,
        refusals.nodes,
        refusals.hasty_batches,
        refusals.slow_readers
    )
}

fn history(history: &v1::History) -> String {
    let place = if history.durable {
        "on disk"
    } else {
        "in memory only"
    };
    let complete = match history.complete_since_time {
        Some(time) => format!("complete since {}", figure::moment(Some(time))),
        None => "without a record".to_owned(),
    };
    let refused = (history.rejected_records, history.rejected_streams);
    format!(
        "{place}, {complete}; {} records and {} streams refused",
        refused.0, refused.1
    )
}
