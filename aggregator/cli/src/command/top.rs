//! `top`: nodes, the most endangered first.

mod columns;

use std::fmt::Write as _;

use clap::Args;
use nodegrace_proto::v1;

use self::columns::COLUMNS;
pub(super) use self::columns::{state, status};
use super::{Answer, Session, node_names};
use crate::{
    args::{Output, WatchArgs, at_least_one},
    failure::Failure,
    nodes::{self, Names, Wanted},
    show::{document, table::table},
};

/// Which nodes, and in which order.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Order: fields separated by commas, each with an optional ` desc`: `name`, `state`, `margin`, `expected_flips`, `gap_p50`,
    /// `gap_p99`, `gap_max`, `running_gap`, `period_p50`, `observed`, `cause`, `risk`. Default: `risk desc`.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "FIELDS"
    )]
    pub sort_by: String,

    /// Only nodes for which this holds, as in AIP-160: `state = NEAR AND margin < 20s`, `name:pool-a`,
    /// `cause = IO_STALLED`.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "EXPRESSION"
    )]
    pub filter: String,

    /// Only nodes with these labels, as for `kubectl get nodes -l`. The API server of the kubeconfig is asked which ones they are.
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub selector: Option<String>,

    /// Most nodes to show. Default: all.
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    pub limit: Option<usize>,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Lines of a terminal that a list leaves free: the titles, the remark about the rest, and where the cursor stands.
const BESIDE_ROWS: usize = 3;

/// The nodes as they are now, of those with these `names`.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(
    session: &mut Session<'_>,
    args: &TopArgs,
    names: Option<&Names>,
    once: bool,
) -> Result<Answer, Failure> {
    let wanted = Wanted {
        order_by: args.sort_by.clone(),
        filter: args.filter.clone(),
        names: names.cloned(),
        limit: args.limit,
    };
    let list = nodes::list(&mut session.queries, &wanted).await?;
    if list.nodes.is_empty() && matches!(session.show.output, Output::Table | Output::Wide) {
        let remark = match list.total_size {
            0 if wanted.filter.is_empty() && wanted.names.is_none() => "no node has reported yet",
            _ => "no node matches",
        };
        return Ok(Answer::of(String::new()).with_remark(Some(remark.to_owned())));
    }
    Ok(Answer::of(match session.show.output {
        Output::Table | Output::Wide => rows(&list, session, once),
        Output::Json => document::json(&list)?,
        Output::Yaml => document::yaml(&list)?,
        Output::Name => node_names(list.nodes.iter().map(|node| node.name.as_str())),
    }))
}

/// The table; what follows on a terminal is cut to its height, so that the worst nodes stay in sight.
fn rows(list: &v1::ListNodesResponse, session: &Session<'_>, once: bool) -> String {
    let screen = session.screen;
    let room = screen.size.filter(|_| !once);
    let room = room.map_or(usize::MAX, |(_, rows)| {
        rows.saturating_sub(BESIDE_ROWS).max(1)
    });
    let shown = &list.nodes[..list.nodes.len().min(room)];
    let mut text = table(COLUMNS, shown, session.show.form(), screen);
    let rest = list.nodes.len() - shown.len();
    if rest > 0 {
        let _ = writeln!(text, "... {rest} more nodes");
    }
    text
}
