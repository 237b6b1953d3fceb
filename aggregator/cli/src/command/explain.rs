//! `explain endpoint`: why addresses of a Service went away and came back, from the vanished address to the late heartbeat.

mod text;

use clap::{Args, Subcommand};
use nodegrace_proto::v1;

use super::{Answer, Session, cluster_watch::refused_without, node_names};
use crate::{
    args::{Output, Since, WatchArgs, at_least_one},
    failure::Failure,
    show::document,
};

/// What is to be explained.
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// What is to be explained.
    #[command(subcommand)]
    pub what: What,
}

/// What can be explained.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Why addresses of a Service went away and came back: node, last heartbeat, seconds without one, what the kubelet was busy
    /// with, and the grace period that would have kept them.
    Endpoint(EndpointArgs),
}

/// Which Service.
#[derive(Clone, Debug, Args)]
pub struct EndpointArgs {
    /// The Service, with its namespace.
    #[arg(value_name = "NAMESPACE/NAME", value_parser = service)]
    pub service: Service,

    /// Only what happened since: a duration back from now, such as 6h, or a time such as 2026-11-25T07:12:33Z. Default: all that is
    /// kept, a day unless there was too much.
    #[arg(long, value_name = "DURATION|TIME")]
    pub since: Option<Since>,

    /// Most entries of the story, the latest; 1000 at most.
    #[arg(long, default_value_t = 200, value_name = "NUMBER", value_parser = at_least_one)]
    pub limit: usize,

    /// Whether to go on.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// A Service by its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    namespace: String,
    name: String,
}

fn service(text: &str) -> Result<Service, String> {
    match text.split('/').collect::<Vec<_>>()[..] {
        [namespace, name] if !namespace.is_empty() && !name.is_empty() => Ok(Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }),
        // -n is where the aggregator is, and no default of kubectl's is known here.
        _ => Err("must be NAMESPACE/NAME, such as default/web".to_owned()),
    }
}

/// The story.
///
/// # Errors
/// When the aggregator refuses, does not watch the cluster, or does not know the Service.
pub async fn endpoint(session: &mut Session<'_>, args: &EndpointArgs) -> Result<Answer, Failure> {
    let request = v1::ExplainEndpointRequest {
        namespace: args.service.namespace.clone(),
        service: args.service.name.clone(),
        since_time: args.since.map(|since| since.moment(session.clock.wall())),
        max_entries: i32::try_from(args.limit).unwrap_or(i32::MAX),
    };
    let story = session.queries.explain_endpoint(request).await;
    let story = story
        .map_err(|status| refused_without("ExplainEndpoint", &status))?
        .into_inner();
    let text = match session.show.output {
        Output::Json => document::json(&story)?,
        Output::Yaml => document::yaml(&story)?,
        Output::Name => node_names(story.flips.iter().map(|flip| flip.node_name.as_str())),
        Output::Table | Output::Wide => text::text(&story, session.show.form(), session.screen),
    };
    let warning = (!story.warning.is_empty()).then(|| format!("warning: {}", story.warning));
    Ok(Answer::of(text).with_remark(warning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_its_namespace() {
        let wanted = Service {
            namespace: "shop".to_owned(),
            name: "cart".to_owned(),
        };
        assert_eq!(service("shop/cart"), Ok(wanted));
        for nonsense in ["cart", "", "/", "shop/", "/cart", "svc/shop/cart"] {
            assert!(service(nonsense).is_err(), "{nonsense}");
        }
    }
}
