//! Which part of the program is started: the agent, or its bridge to the container runtime.

use clap::{Parser, Subcommand};

use super::Args;
use crate::bridge::BridgeArgs;

// The comments below are the help text: quotes and URLs stand there as people type them.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// Times every heartbeat of this node's kubelet and reports it to the nodegrace aggregator.
///
/// Every flag can be set by the environment variable named with it. An API server, aggregator, kubelet or runtime that cannot
/// be reached is no error: the agent says so, reports what it can and tries again.
#[derive(Debug, Parser)]
#[command(
    name = "nodegrace-agent",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
pub struct CommandLine {
    /// Another part than the agent. Absent: the agent.
    #[command(subcommand)]
    pub part: Option<Part>,

    /// The agent.
    #[command(flatten)]
    pub agent: Args,
}

#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// What else than the agent is in the program.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// Asks the container runtime for the agent, so that the agent itself need not be able to open its socket: who can open
    /// it is root on the node.
    ///
    /// The agent gives the socket that is made here as its --cri-socket. What comes through are counts, states, bytes of
    /// images and the runtime's name. The runtime has one call at a time, and of each kind one every 10s on the average;
    /// whoever asks sooner waits as long as the runtime took, and gets the same answer. A runtime that cannot be reached is
    /// no error: the agent is told.
    CriBridge(BridgeArgs),
}
