//! `nodegrace-demo`: a simulated cluster with real agents and a real aggregator, its ranking held against the truth.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use nodegrace_sim::{args::Args, demo, pace};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Exit code for a command line that makes no sense (`EX_USAGE` of sysexits(3)).
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", nodegrace_agent::complaint(&error));
            return ExitCode::from(USAGE);
        }
        // --help or --version.
        Err(answer) => answer.exit(),
    };
    match pace::runtime().and_then(|runtime| runtime.block_on(run(args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nodegrace-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&args.log))
        .with_writer(std::io::stderr)
        .init();
    let grpc = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("--listen {}", args.listen))?;
    let http = TcpListener::bind(args.http)
        .await
        .with_context(|| format!("--http {}", args.http))?;
    demo::run(args, grpc, http).await
}
