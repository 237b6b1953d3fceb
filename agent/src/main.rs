//! The agent's process: parse, connect, run, drain.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use nodegrace_agent::{
    Aggregators, Args, BridgeArgs, CommandLine, Config, Part, bridge, complaint, kube_client,
    one_line, run,
};
use nodegrace_clock::Clock;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// `EX_USAGE` of sysexits.h: the arguments make no sense.
const BAD_ARGUMENTS: u8 = 64;

fn main() -> ExitCode {
    // One thread: the agent waits nearly all the time, and a node should not notice it.
    let runtime = match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("nodegrace-agent: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(part());
    // Whatever still waits for a disk or a name server has been given up.
    runtime.shutdown_background();
    code
}

/// Parses, and runs what is asked for.
async fn part() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", complaint(&error));
            return ExitCode::from(BAD_ARGUMENTS);
        }
        // --help or --version.
        Err(answer) => answer.exit(),
    };
    match line.part {
        // Boxed: an agent is too much for the stack of whoever waits.
        None => Box::pin(agent(&line.agent)).await,
        Some(Part::CriBridge(args)) => cri_bridge(&args).await,
    }
}

async fn agent(args: &Args) -> ExitCode {
    let clock = Clock::real();
    let (config, client, aggregators) = match connect(args, &clock).await {
        Ok(parts) => parts,
        Err(error) => return bad_arguments(&error),
    };
    let shutdown = CancellationToken::new();
    let agent = Box::pin(run(config, client, aggregators, clock, shutdown.clone()));
    ended(until_signalled(agent, &shutdown).await)
}

async fn cri_bridge(args: &BridgeArgs) -> ExitCode {
    let sensible = args.check();
    if let Err(error) = sensible.and_then(|()| args.log.start()) {
        return bad_arguments(&error);
    }
    let shutdown = CancellationToken::new();
    let bridge = bridge(args, Clock::real(), shutdown.clone());
    ended(until_signalled(bridge, &shutdown).await)
}

fn bad_arguments(error: &anyhow::Error) -> ExitCode {
    eprintln!("nodegrace-agent: {}", one_line(error.as_ref()));
    ExitCode::from(BAD_ARGUMENTS)
}

fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nodegrace-agent: {}", one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Makes of the arguments what runs. Nothing is reached yet: whatever fails here is a bad argument.
async fn connect(
    args: &Args,
    clock: &Clock,
) -> anyhow::Result<(Config, kube::Client, Aggregators)> {
    args.log.start()?;
    kube_client::install_crypto();
    let config = args.config()?;
    let aggregators = args.aggregator.aggregators(&config.timeouts)?;
    let cluster =
        kube_client::configuration(args.kubeconfig.as_deref(), args.context.as_deref()).await?;
    anyhow::ensure!(
        !config.impersonate_own_node || cluster.auth_info.impersonate.is_none(),
        "--impersonate-own-node: the kubeconfig impersonates somebody else already"
    );
    let client = kube_client::connect(&cluster, &config.timeouts, clock).context("API server")?;
    info!(api_server = %cluster.cluster_url, aggregator = args.aggregator.url, node = config.node_name, "reports from here");
    Ok((config, client, aggregators))
}

/// Lets `part` run until the first signal, and then drain; a second signal aborts it.
async fn until_signalled(
    part: impl Future<Output = anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    let mut part = std::pin::pin!(part);
    loop {
        tokio::select! {
            ended = &mut part => return ended,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        if shutdown.is_cancelled() {
            warn!("second signal, aborting");
            anyhow::bail!("aborted before everything was delivered");
        }
        info!("stopping");
        shutdown.cancel();
    }
}
