//! `bench`: what the agent and the aggregator take, each figure beside its goal.

use std::process::ExitCode;

use clap::Parser as _;
use nodegrace_sim::bench::{self, Args};

fn main() -> ExitCode {
    match bench::run(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
