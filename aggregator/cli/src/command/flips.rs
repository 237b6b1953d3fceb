//! `flips`: the times that nodes left Ready, the latest first, and the addresses that went with them.

mod columns;

use clap::{Args, ValueEnum};
use nodegrace_proto::{prost_types::Timestamp, v1};

pub(super) use self::columns::COLUMNS;
use super::{Answer, PAGE, Session, cluster_watch, cut, node_names, remarks};
use crate::{
    args::{Output, Since, WatchArgs, at_least_one, node_name},
    failure::{Failure, refused},
    nodes::Names,
    show::{document, table::table},
};

/// Which flips, and in which order.
#[derive(Clone, Debug, Args)]
pub struct FlipsArgs {
    /// Only this node's.
    #[arg(value_name = "NODE", value_parser = node_name)]
    pub node: Option<String>,

    /// Only those of this kind.
    #[arg(long, value_name = "KIND", ignore_case = true)]
    pub kind: Option<Kind>,

    /// Only those seen since: a duration back from now, such as 6h, or a time such as 2026-11-25T07:12:33Z.
    #[arg(long, value_name = "DURATION|TIME")]
    pub since: Option<Since>,

    /// Only those of nodes with these labels, as for `kubectl get nodes -l`. The API server of the kubeconfig is asked which ones
    /// they are.
    #[arg(short = 'l', long, value_name = "LABELS", conflicts_with = "node")]
    pub selector: Option<String>,

    /// Order: `seen_time` or `unready_for`, each with an optional ` desc`; a flip that is not over counts as longest. Default:
    /// `seen_time desc`.
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "FIELD"
    )]
    pub sort_by: String,

    /// Most flips to show.
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = at_least_one)]
    pub limit: usize,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Why a node's Ready left True.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The controller marked it Unknown: its heartbeats had stopped for longer than the grace period.
    HeartbeatLost,
    /// Its kubelet itself said Ready=False: no grace period helps.
    KubeletNotReady,
    /// The controller marked it Unknown although its heartbeats had arrived in time.
    ControllerStale,
    /// The controller marked it Unknown while its machine was booted anew.
    NodeRebooted,
    /// The controller marked it Unknown, and the Node was deleted before it was back.
    NodeDeleted,
}

impl From<Kind> for v1::FlipKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::HeartbeatLost => Self::HeartbeatLost,
            Kind::KubeletNotReady => Self::KubeletNotReady,
            Kind::ControllerStale => Self::ControllerStale,
            Kind::NodeRebooted => Self::NodeRebooted,
            Kind::NodeDeleted => Self::NodeDeleted,
        }
    }
}

/// The flips that are kept, of the nodes with these `names`.
///
/// # Errors
/// When the aggregator refuses.
pub async fn answer(
    session: &mut Session<'_>,
    args: &FlipsArgs,
    names: Option<&Names>,
) -> Result<Answer, Failure> {
    let (list, more) = list(session, args, names).await?;
    let text = match session.show.output {
        Output::Json => return Ok(Answer::of(document::json(&list)?)),
        Output::Yaml => return Ok(Answer::of(document::yaml(&list)?)),
        Output::Name => {
            let nodes = list.flips.iter().map(|flip| flip.node_name.as_str());
            return Ok(Answer::of(node_names(nodes)));
        }
        _ => table(COLUMNS, &list.flips, session.show.form(), session.screen),
    };
    let none = list
        .flips
        .is_empty()
        .then(|| "no node was seen to leave Ready, of those asked for".to_owned());
    let dropped = (list.dropped_flips > 0).then(|| {
        format!(
            "{} older flips made room for newer ones and are not known any more",
            list.dropped_flips
        )
    });
    let watch = super::fleet(&mut session.queries).await?.cluster_watch;
    let watch = cluster_watch::trouble(watch.as_ref());
    let more = more.then(|| cut("flips", args.limit));
    let remark = remarks([none, more, dropped, watch]);
    Ok(Answer::of(text).with_remark(remark))
}

/// The flips, and whether there may be more.
async fn list(
    session: &mut Session<'_>,
    args: &FlipsArgs,
    names: Option<&Names>,
) -> Result<(v1::ListFlipsResponse, bool), Failure> {
    let since = args.since.map(|since| since.moment(session.clock.wall()));
    let mut all = v1::ListFlipsResponse::default();
    let mut request = v1::ListFlipsRequest {
        // Those that are wanted may be anywhere.
        page_size: match (since, names) {
            (None, None) => PAGE.min(i32::try_from(args.limit).unwrap_or(PAGE)),
            _ => PAGE,
        },
        page_token: String::new(),
        node_name: args.node.clone().unwrap_or_default(),
        kind: args
            .kind
            .map_or(v1::FlipKind::Unspecified, Into::into)
            .into(),
        order_by: args.sort_by.clone(),
        // A program gets everything there is.
        addresses: matches!(session.show.output, Output::Json | Output::Yaml),
    };
    while all.flips.len() < args.limit {
        let page = session.queries.list_flips(request.clone()).await;
        let page = page
            .map_err(|status| refused("ListFlips", &status))?
            .into_inner();
        let too_old = |flip: &v1::Flip| since.is_some_and(|since| !is_since(flip, since));
        // The latest come first unless another order is asked for: what follows is older still.
        let is_last = request.order_by.is_empty() && page.flips.last().is_some_and(too_old);
        let wanted = |flip: &v1::Flip| {
            let of_node = names.is_none_or(|names| names.contains(&flip.node_name));
            of_node && !too_old(flip)
        };
        all.flips.extend(page.flips.into_iter().filter(wanted));
        all.dropped_flips = page.dropped_flips;
        all.dropped_addresses = page.dropped_addresses;
        all.warning = page.warning;
        request.page_token = page.next_page_token;
        if is_last {
            request.page_token.clear();
        }
        if request.page_token.is_empty() {
            break;
        }
    }
    let more = all.flips.len() > args.limit || !request.page_token.is_empty();
    all.flips.truncate(args.limit);
    Ok((all, more))
}

fn is_since(flip: &v1::Flip, since: Timestamp) -> bool {
    let nanoseconds = |time: Timestamp| (time.seconds, time.nanos);
    let seen = flip.seen_time.map(nanoseconds);
    seen.is_none_or(|seen| seen >= nanoseconds(since))
}
