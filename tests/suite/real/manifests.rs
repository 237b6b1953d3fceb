//! The rendered manifests against the programs they start: every flag is known, in every form.

use clap::Parser as _;
use serde_json::Value;

use super::forms::{all, kustomized, strings};

/// Files that flags name are a cluster's, so that what they hold cannot be judged here.
#[test]
fn both_know_every_flag_of_every_form_and_forget_nothing() -> anyhow::Result<()> {
    for form in all()? {
        let objects = kustomized(&form)?;
        let [agent, aggregator] = ["DaemonSet", "StatefulSet"].map(|kind| args_of(&objects, kind));
        let keeps = |args: &[String], flag: &str| args.iter().any(|arg| arg.starts_with(flag));
        assert!(keeps(&agent, "--spool-dir="), "{form}: {agent:?}");
        assert!(keeps(&aggregator, "--data-dir="), "{form}: {aggregator:?}");
        nodegrace_agent::Args::try_parse_from(agent)?.config()?;
        nodegrace_aggregator::Args::try_parse_from(aggregator)?;
    }
    Ok(())
}

/// The command line of the only container of the only object of this kind, with the variables of a node put in.
fn args_of(objects: &[Value], kind: &str) -> Vec<String> {
    let object = objects.iter().find(|object| object["kind"] == kind);
    let object = object.unwrap_or_else(|| panic!("there is no {kind}"));
    let container = &object["spec"]["template"]["spec"]["containers"][0];
    std::iter::once("program")
        .chain(strings(&container["args"]))
        .map(|arg| {
            arg.replace("$(NODE_NAME)", "node-1")
                .replace("$(HOST_IP)", "192.0.2.1")
        })
        .collect()
}
