//! `gaps`: long gaps, the latest first.

use clap::Args;
use nodegrace_proto::{prost_types, v1};

use super::{Answer, PAGE, Session, cut, not_by_name, remarks};
use crate::{
    args::{Output, WatchArgs, at_least_one, duration, node_name},
    failure::{Failure, refused},
    show::{
        document,
        figure::{self, as_seconds},
        line::{Line, Tone},
        table::{Column, Shown, table},
    },
};

/// Which gaps, and in which order.
#[derive(Clone, Debug, Args)]
pub struct GapsArgs {
    /// Only this node's.
    #[arg(long, value_name = "NAME", value_parser = node_name)]
    pub node: Option<String>,

    /// Only gaps at least this long.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub min: Option<prost_types::Duration>,

    /// Only gaps within which the controller was seen to mark the node Unknown: its flips, as far as the gaps around them are known.
    #[arg(long)]
    pub flipped: bool,

    /// Order: `end_time` or `duration`, each with an optional ` desc`. Default: `end_time desc`.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "FIELD"
    )]
    pub sort_by: String,

    /// Most gaps to show.
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = at_least_one)]
    pub limit: usize,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

const COLUMNS: &[Column<v1::Gap>] = &[
    Column::text("NODE", |gap, _| gap.node_name.as_str().into()),
    Column::text("ENDED", |gap, _| figure::moment(gap.end_time).into()),
    Column::figure("GAP", |gap, _| length_of(gap)),
    Column::figure("LATE-BY", |gap: &v1::Gap, _| {
        figure::seconds(gap.lateness).into()
    })
    .shown(Shown::WithRoom(3)),
    Column::figure("FLIP-PROBABILITY", |gap: &v1::Gap, _| probability(gap))
        .shown(Shown::WithRoom(2)),
    Column::text("FLIPPED", |gap, _| flipped(gap)),
    Column::text("CHANNELS", |gap: &v1::Gap, _| channels(gap)).shown(Shown::Wide),
    Column::text("ARISE-AT", |gap: &v1::Gap, _| vantage(gap).into()).shown(Shown::Wide),
    Column::figure("UNCERTAIN-BY", |gap: &v1::Gap, _| {
        figure::seconds(gap.uncertainty).into()
    })
    .shown(Shown::Wide),
    Column::text("CAUSE", |gap: &v1::Gap, _| cause(gap)).shown(Shown::WithRoom(4)),
];

/// The gaps that are kept.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(session: &mut Session<'_>, args: &GapsArgs) -> Result<Answer, Failure> {
    not_by_name(session.show)?;
    let (list, more) = list(session, args).await?;
    let answer = match session.show.output {
        Output::Json => return Ok(Answer::of(document::json(&list)?)),
        Output::Yaml => return Ok(Answer::of(document::yaml(&list)?)),
        _ => table(COLUMNS, &list.gaps, session.show.form(), session.screen),
    };
    let none = list
        .gaps
        .is_empty()
        .then(|| "no gap was long enough to be kept, or to be asked for".to_owned());
    let more = more.then(|| cut("gaps", args.limit));
    let remark = remarks([none, more, dropped(list.dropped_gaps)]);
    Ok(Answer::of(answer).with_remark(remark))
}

/// That gaps are not listed any more. Absent: all are that were long enough.
pub(super) fn dropped(gaps: u64) -> Option<String> {
    (gaps > 0).then(|| {
        format!("{gaps} shorter gaps made room for longer ones of the same node and are not listed")
    })
}

/// The gaps, and whether there may be more.
async fn list(
    session: &mut Session<'_>,
    args: &GapsArgs,
) -> Result<(v1::ListGapsResponse, bool), Failure> {
    let mut all = v1::ListGapsResponse::default();
    let mut request = v1::ListGapsRequest {
        node_name: args.node.clone().unwrap_or_default(),
        min_duration: args.min,
        page_size: PAGE.min(i32::try_from(args.limit).unwrap_or(PAGE)),
        page_token: String::new(),
        order_by: args.sort_by.clone(),
    };
    if args.flipped {
        // They may be anywhere.
        request.page_size = PAGE;
    }
    while all.gaps.len() < args.limit {
        let page = session.queries.list_gaps(request.clone()).await;
        let page = page
            .map_err(|status| refused("ListGaps", &status))?
            .into_inner();
        let chosen = |gap: &v1::Gap| gap.flip_seen || !args.flipped;
        all.gaps.extend(page.gaps.into_iter().filter(chosen));
        all.dropped_gaps = page.dropped_gaps;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let more = all.gaps.len() > args.limit || !request.page_token.is_empty();
    all.gaps.truncate(args.limit);
    Ok((all, more))
}

fn length_of(gap: &v1::Gap) -> Line {
    let text = figure::seconds(gap.duration);
    // In no figure of the node: beside the others, not among them.
    if gap.uncounted {
        return Line::new(Tone::Dim, format!("({text})"));
    }
    Line::from(text)
}

fn probability(gap: &v1::Gap) -> Line {
    let tone = if gap.flip_probability > 0.0 {
        Tone::Bad
    } else {
        Tone::Plain
    };
    Line::new(tone, figure::share(gap.flip_probability))
}

fn flipped(gap: &v1::Gap) -> Line {
    if gap.flip_seen {
        Line::new(Tone::Bad, "yes")
    } else {
        "no".into()
    }
}

fn channels(gap: &v1::Gap) -> Line {
    let names: Vec<String> = gap.late_channels().map(figure::channel).collect();
    figure::text(&names.join(",")).into()
}

fn vantage(gap: &v1::Gap) -> String {
    figure::name(gap.vantage().as_str_name(), "VANTAGE_")
}

/// The first cause and how much of the lateness it accounts for.
fn cause(gap: &v1::Gap) -> Line {
    let Some(cause) = gap.causes.first() else {
        return figure::UNKNOWN.into();
    };
    let kind = figure::cause(cause.kind());
    match cause.kind() {
        v1::CauseKind::Unknown => kind.into(),
        _ => format!("{kind}:{}", figure::share(cause.share)).into(),
    }
}

/// How long a gap was, in seconds.
pub(super) fn length(gap: &v1::Gap) -> f64 {
    gap.duration.map_or(0.0, as_seconds)
}
