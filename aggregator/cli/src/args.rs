//! The command line as typed.

mod node_name;
mod quantity;
mod reach;
mod show;
mod since;

use clap::{Parser, Subcommand};

pub(crate) use self::{
    node_name::node_name,
    quantity::{at_least_one, duration},
};
pub use self::{
    reach::ReachArgs,
    show::{Output, ShowArgs, WatchArgs},
    since::Since,
};
use crate::command;

/// What --help says after the options.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   something failed: the aggregator could not be reached, or did not answer
  3   recommend --check: the live grace period misses the target
  4   recommend --check: too little is known to tell
  130 interrupted by Ctrl-C
  64  the command line makes no sense";

/// Which nodes are near the controller's timeout, and what grace period would spare them.
///
/// Asks the aggregator of nodegrace, which it reaches by a port-forward through the current context of the kubeconfig, or at
/// --address.
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-nodegrace",
    bin_name = "kubectl nodegrace",
    version,
    after_help = EXIT_CODES,
    max_term_width = 100
)]
pub struct Args {
    /// Where the aggregator is.
    #[command(flatten)]
    pub reach: ReachArgs,

    /// How answers are shown.
    #[command(flatten)]
    pub show: ShowArgs,

    /// What is asked.
    #[command(subcommand)]
    pub command: Command,
}

/// What is asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Nodes, the most endangered first.
    Top(command::top::TopArgs),
    /// Everything about one node: its gaps over time, its settings, and why its heartbeats were late.
    Node(command::node::NodeArgs),
    /// Long gaps, the latest first.
    Gaps(command::gaps::GapsArgs),
    /// The times that nodes left Ready, the latest first, and the addresses that went with them.
    Flips(command::flips::FlipsArgs),
    /// Why addresses went away and came back.
    Explain(command::explain::ExplainArgs),
    /// The Services that stand on endangered nodes, those hit hardest first.
    Services(command::services::ServicesArgs),
    /// What other grace periods would have led to with the same heartbeats.
    WhatIf(command::what_if::WhatIfArgs),
    /// The grace period to set, what it costs, and the settings to paste.
    Recommend(command::recommend::RecommendArgs),
    /// Totals of the fleet, and how good the data is.
    Fleet(command::fleet::FleetArgs),
    /// A script that completes this command line in a shell.
    Completion(command::completion::CompletionArgs),
    /// The manual page, as roff.
    #[command(hide = true)]
    Man,
    /// What may come next on the command line: kubectl asks while its user types.
    #[command(name = "__complete", hide = true, disable_help_flag = true)]
    Complete(command::completion::CompleteArgs),
}

impl Command {
    /// How it is to go on. Absent: it answers once.
    pub fn watch(&self) -> Option<WatchArgs> {
        let watch = match self {
            Self::Top(args) => args.watch,
            Self::Node(args) => args.watch,
            Self::Gaps(args) => args.watch,
            Self::Flips(args) => args.watch,
            Self::Explain(args) => {
                let command::explain::What::Endpoint(args) = &args.what;
                args.watch
            }
            Self::Services(args) => args.watch,
            Self::Fleet(args) => args.watch,
            _ => return None,
        };
        watch.watch.then_some(watch)
    }
}
