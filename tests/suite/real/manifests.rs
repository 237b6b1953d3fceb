//! The rendered manifests against the programs they start: every flag is known, in every form.

use clap::Parser as _;
use nodegrace_agent::{CommandLine, Part};
use serde_json::Value;

use super::forms::{all, kustomized, strings};

/// Files that flags name are a cluster's, so that what they hold cannot be judged here.
#[test]
fn both_know_every_flag_of_every_form_and_forget_nothing() -> anyhow::Result<()> {
    for form in all()? {
        let objects = kustomized(&form)?;
        let (agents, aggregators) = (
            args_of(&objects, "DaemonSet"),
            args_of(&objects, "StatefulSet"),
        );
        let ([agent, beside @ ..], [aggregator]) = (&agents[..], &aggregators[..]) else {
            panic!("{form}: other containers than are known");
        };
        let keeps = |args: &[String], flag: &str| args.iter().any(|arg| arg.starts_with(flag));
        assert!(keeps(agent, "--spool-dir="), "{form}: {agent:?}");
        assert!(keeps(aggregator, "--data-dir="), "{form}: {aggregator:?}");
        let line = CommandLine::try_parse_from(agent)?;
        assert!(line.part.is_none(), "{form}: {agent:?}");
        let config = line.agent.config()?;
        nodegrace_aggregator::Args::try_parse_from(aggregator)?;
        // Whoever has the runtime's socket is not the agent, and the agent has what that one makes.
        assert!(beside.len() <= 1, "{form}: {beside:?}");
        let bridge = beside
            .first()
            .map(CommandLine::try_parse_from)
            .transpose()?;
        let bridge = bridge.map(|line| match line.part {
            Some(Part::CriBridge(args)) => args,
            None => panic!("{form}: a second agent"),
        });
        assert_eq!(config.cri_socket, bridge.map(|args| args.listen), "{form}");
    }
    Ok(())
}

/// The command lines of the containers of the only object of this kind, with the variables of a node put in.
fn args_of(objects: &[Value], kind: &str) -> Vec<Vec<String>> {
    let object = objects.iter().find(|object| object["kind"] == kind);
    let object = object.unwrap_or_else(|| panic!("there is no {kind}"));
    let containers = object["spec"]["template"]["spec"]["containers"].as_array();
    let args = containers.into_iter().flatten().map(|container| {
        std::iter::once("program")
            .chain(strings(&container["args"]))
            .map(|arg| {
                arg.replace("$(NODE_NAME)", "node-1")
                    .replace("$(HOST_IP)", "192.0.2.1")
            })
            .collect()
    });
    args.collect()
}
