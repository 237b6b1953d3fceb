//! The rendered manifests against the programs they start: every flag is known, and what RBAC grants is enough.

use clap::Parser as _;
use nodegrace_proto::v1::{Channel, Node, Visibility};
use nodegrace_sim_cluster::api::{Access, Permission, Resource};
use serde_json::Value;

use super::{
    daemons::{AGENT_USER, MeasuredNode},
    programs::output_of,
};

#[test]
fn the_agent_knows_every_flag_of_the_manifests() -> anyhow::Result<()> {
    for form in FORMS {
        let args = args_of(&rendered(form)?, "DaemonSet");
        let config = nodegrace_agent::Args::try_parse_from(args)?.config()?;
        anyhow::ensure!(config.spool_dir.is_some(), "{form}: it would forget");
    }
    Ok(())
}

#[test]
fn the_aggregator_knows_every_flag_of_the_manifests() -> anyhow::Result<()> {
    for form in FORMS {
        let args = args_of(&rendered(form)?, "StatefulSet");
        let config = nodegrace_aggregator::Args::try_parse_from(args)?.config()?;
        anyhow::ensure!(config.store.is_some(), "{form}: it would forget");
    }
    Ok(())
}

/// Their files are a cluster's, so that what they hold cannot be judged here.
#[test]
fn both_know_every_flag_of_the_form_with_tls() -> anyhow::Result<()> {
    let objects = rendered("deploy/overlays/tls")?;
    nodegrace_agent::Args::try_parse_from(args_of(&objects, "DaemonSet"))?;
    nodegrace_aggregator::Args::try_parse_from(args_of(&objects, "StatefulSet"))?;
    Ok(())
}

#[tokio::test]
async fn the_agent_sees_both_channels_with_the_rights_of_the_manifests() -> anyhow::Result<()> {
    let access = granted(&rendered(DEFAULT)?, AGENT_USER);
    let mut node = MeasuredNode::start(access, &[]).await?;
    node.node_when("node with both channels in sight", both_in_sight)
        .await?;
    let refused: Vec<_> = node.api.request_log();
    let refused: Vec<_> = refused.iter().filter(|asked| asked.code == 403).collect();
    assert!(refused.is_empty(), "{refused:?}");
    Ok(())
}

fn both_in_sight(node: &Node) -> bool {
    [Channel::Lease, Channel::NodeStatus]
        .into_iter()
        .all(|channel| {
            node.channels.iter().any(|figures| {
                let view = figures.view.as_ref();
                figures.channel() == channel
                    && view.is_some_and(|view| view.visibility() == Visibility::Observed)
            })
        })
}

/// The default deployment.
const DEFAULT: &str = "deploy";
/// Every form of the deployment.
const FORMS: [&str; 2] = [DEFAULT, "deploy/overlays/durable"];

/// Every object of a form of the deployment.
fn rendered(form: &str) -> anyhow::Result<Vec<Value>> {
    let form = format!("{}/../../{form}", env!("CARGO_MANIFEST_DIR"));
    let objects = output_of("kubectl", ["kustomize", &form])?;
    Ok(serde_saphyr::from_multiple(&objects)?)
}

/// The command line of the only container of the only object of this kind, with the variables of a node put in.
fn args_of(objects: &[Value], kind: &str) -> Vec<String> {
    let object = objects.iter().find(|object| object["kind"] == kind);
    let object = object.unwrap_or_else(|| panic!("there is no {kind}"));
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    let args = container["args"].as_array().into_iter().flatten();
    std::iter::once("program")
        .chain(args.filter_map(Value::as_str))
        .map(|arg| {
            arg.replace("$(NODE_NAME)", "node-1")
                .replace("$(HOST_IP)", "192.0.2.1")
        })
        .collect()
}

/// What the roles of the deployment, for the cluster and for a namespace, grant to the agent among what an API
/// server serves itself.
fn granted(objects: &[Value], user: &str) -> Access {
    let mut access = Access::closed();
    for role in objects {
        if !matches!(role["kind"].as_str(), Some("ClusterRole" | "Role")) {
            continue;
        }
        // The aggregator's rights are no agent's.
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        if name.starts_with("nodegrace-aggregator") {
            continue;
        }
        for rule in role["rules"].as_array().into_iter().flatten() {
            for resource in strings(&rule["resources"]) {
                let resource = match resource {
                    "nodes" => Resource::Node,
                    "leases" => Resource::Lease,
                    // Asked of the kubelet, which asks the API server whether to answer.
                    "nodes/metrics" | "nodes/configz" => continue,
                    other => panic!("a right on {other}, which no test knows"),
                };
                let mut permission = Permission::new(&strings(&rule["verbs"]), resource);
                if let Some(namespace) = role["metadata"]["namespace"].as_str() {
                    permission = permission.within(namespace);
                }
                access = access.permit(user, permission);
            }
        }
    }
    access
}

fn strings(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}
