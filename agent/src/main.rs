//! The agent's process: parse, connect, run, drain.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use nodegrace_agent::{Aggregators, Args, Config, complaint, kube_client, logging, one_line, run};
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
    let code = runtime.block_on(agent());
    // Whatever still waits for a disk or a name server has been given up.
    runtime.shutdown_background();
    code
}

async fn agent() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", complaint(&error));
            return ExitCode::from(BAD_ARGUMENTS);
        }
        // --help or --version.
        Err(answer) => answer.exit(),
    };
    let (config, client, aggregators) = match connect(&args).await {
        Ok(parts) => parts,
        Err(error) => {
            eprintln!("nodegrace-agent: {}", one_line(error.as_ref()));
            return ExitCode::from(BAD_ARGUMENTS);
        }
    };
    match serve(config, client, aggregators).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nodegrace-agent: {}", one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Makes of the arguments what runs. Nothing is reached yet: whatever fails here is a bad argument.
async fn connect(args: &Args) -> anyhow::Result<(Config, kube::Client, Aggregators)> {
    logging::start(&args.log, args.log_format)?;
    kube_client::install_crypto();
    let config = args.config()?;
    let aggregators = args.aggregator.aggregators(&config.timeouts)?;
    let cluster =
        kube_client::configuration(args.kubeconfig.as_deref(), args.context.as_deref()).await?;
    anyhow::ensure!(
        !config.impersonate_own_node || cluster.auth_info.impersonate.is_none(),
        "--impersonate-own-node: the kubeconfig impersonates somebody else already"
    );
    let client = kube_client::connect(&cluster, &config.timeouts).context("API server")?;
    info!(api_server = %cluster.cluster_url, aggregator = args.aggregator.url, node = config.node_name, "reports from here");
    Ok((config, client, aggregators))
}

/// Runs until the first signal and drains; a second one aborts.
async fn serve(
    config: Config,
    client: kube::Client,
    aggregators: Aggregators,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("signals")?;
    let shutdown = CancellationToken::new();
    let mut agent = std::pin::pin!(run(
        config,
        client,
        aggregators,
        Clock::real(),
        shutdown.clone()
    ));
    loop {
        tokio::select! {
            ended = &mut agent => return ended,
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
