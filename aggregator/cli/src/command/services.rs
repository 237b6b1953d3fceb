//! `services`: what is at risk before anything flips, the Services that would be hit hardest first.

use clap::Args;
use nodegrace_proto::v1;

use super::{Answer, PAGE, Session, cluster_watch::refused_without, cut, not_by_name, remarks};
use crate::{
    args::{Output, WatchArgs, at_least_one},
    failure::Failure,
    show::{
        document, figure,
        line::{Line, Tone},
        table::{Column, Shown, table},
    },
};

/// How many Services.
#[derive(Clone, Copy, Debug, Args)]
pub struct ServicesArgs {
    /// Most Services to show.
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = at_least_one)]
    pub limit: usize,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

const COLUMNS: &[Column<v1::ServiceAtRisk>] = &[
    Column::text("NAMESPACE", |service, _| {
        share(service, |share| share.namespace.clone()).into()
    }),
    Column::text("SERVICE", |service, _| {
        share(service, |share| share.service.clone()).into()
    }),
    Column::figure("LOSES", |service, _| {
        share(service, |share| share.loses.to_string()).into()
    }),
    Column::figure("READY", |service, _| {
        share(service, |share| share.ready.to_string()).into()
    }),
    Column::figure("LEFT", |service, _| left(service)),
    Column::text("NODES", |service: &v1::ServiceAtRisk, _| {
        figure::some_of(service.node_names.iter().cloned()).into()
    })
    .shown(Shown::WithRoom(1)),
];

/// The Services that stand on endangered nodes.
///
/// # Errors
/// When the aggregator refuses, or does not watch the cluster.
pub async fn answer(session: &mut Session<'_>, args: ServicesArgs) -> Result<Answer, Failure> {
    not_by_name(session.show)?;
    let (list, more) = list(session, args.limit).await?;
    let text = match session.show.output {
        Output::Json => return Ok(Answer::of(document::json(&list)?)),
        Output::Yaml => return Ok(Answer::of(document::yaml(&list)?)),
        _ => table(COLUMNS, &list.services, session.show.form(), session.screen),
    };
    let none = list.services.is_empty().then(|| {
        let nodes = list.endangered_nodes;
        format!("no Service has a ready address on a node that is NEAR, FLIPPING or OVERDUE ({nodes} nodes are)")
    });
    let more = more.then(|| cut("Services", args.limit));
    Ok(Answer::of(text).with_remark(remarks([none, more])))
}

/// The Services, and whether there are more.
async fn list(
    session: &mut Session<'_>,
    limit: usize,
) -> Result<(v1::ListServicesAtRiskResponse, bool), Failure> {
    let mut all = v1::ListServicesAtRiskResponse::default();
    let mut request = v1::ListServicesAtRiskRequest {
        page_size: PAGE.min(i32::try_from(limit).unwrap_or(PAGE)),
        page_token: String::new(),
    };
    while all.services.len() < limit {
        let page = session.queries.list_services_at_risk(request.clone()).await;
        let page = page
            .map_err(|status| refused_without("ListServicesAtRisk", &status))?
            .into_inner();
        all.services.extend(page.services);
        all.endangered_nodes = page.endangered_nodes;
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let more = all.services.len() > limit || !request.page_token.is_empty();
    all.services.truncate(limit);
    Ok((all, more))
}

fn share(service: &v1::ServiceAtRisk, of: fn(&v1::ServiceShare) -> String) -> String {
    service.share.as_ref().map_or_else(figure::unknown, of)
}

/// What it would have left if all of these nodes flipped.
fn left(service: &v1::ServiceAtRisk) -> Line {
    let Some(share) = &service.share else {
        return figure::UNKNOWN.into();
    };
    let left = share.ready.saturating_sub(share.loses);
    let tone = if left == 0 { Tone::Bad } else { Tone::Plain };
    Line::new(tone, left.to_string())
}
