//! Which part of the program is started: the agent, or its bridge to the container runtime.

use clap::{Parser, Subcommand};

use super::Args;
use crate::bridge::BridgeArgs;

/// What the command line is read as.
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

/// What else than the agent is in the program.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// The bridge to the container runtime.
    CriBridge(BridgeArgs),
}
