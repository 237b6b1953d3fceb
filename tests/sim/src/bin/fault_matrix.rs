//! `fault-matrix`: inflicts faults on simulated nodes and holds the causes that are named against them.

use std::process::ExitCode;

use clap::Parser as _;
use nodegrace_sim::fault_matrix::{self, Args};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&args.log))
        .with_writer(std::io::stderr)
        .init();
    match fault_matrix::run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("fault-matrix: {error:#}");
            ExitCode::FAILURE
        }
    }
}
