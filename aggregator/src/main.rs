//! The aggregator's process: parse, bind, run, drain.

use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    process::ExitCode,
};

use anyhow::Context as _;
use nodegrace_aggregator::{Args, Config, LogFormat, fit_descriptors};
use nodegrace_clock::Clock;
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// `EX_USAGE` of sysexits.h: the arguments make no sense.
const BAD_ARGUMENTS: u8 = 64;
/// What a shell reports for a process that was interrupted.
const ABORTED: u8 = 130;

fn main() -> ExitCode {
    // Parse: every bad flag dies before a port is bound.
    let (args, config) = match Args::checked() {
        Ok(parsed) => parsed,
        Err(error) if error.use_stderr() => {
            let text = error.to_string();
            eprintln!("{}; see --help", text.lines().next().unwrap_or(&text));
            return ExitCode::from(BAD_ARGUMENTS);
        }
        // --help or --version.
        Err(answer) => answer.exit(),
    };
    log_as_told(&args);
    let outcome = Runtime::new()
        .context("cannot start the runtime")
        .and_then(|runtime| {
            let outcome = runtime.block_on(async {
                let clock = Clock::real();
                match tokio::try_join!(args.judges(&clock), args.watched_cluster()) {
                    Ok(((agent_auth, query_auth), cluster)) => {
                        bind_and_run(
                            &args,
                            Config {
                                agent_auth,
                                query_auth,
                                cluster,
                                ..config
                            },
                        )
                        .await
                    }
                    Err(error) => {
                        eprintln!("error: {error:#}; see --help");
                        Ok(ExitCode::from(BAD_ARGUMENTS))
                    }
                }
            });
            // A what-if that is still being computed has nobody left to answer.
            runtime.shutdown_background();
            outcome
        });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn bind_and_run(args: &Args, config: Config) -> anyhow::Result<ExitCode> {
    // Before anything says that the process is there.
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    let grpc = bind(args.listen, "--listen").await?;
    let http = bind(args.http, "--http").await?;
    tracing::info!(address = %grpc.local_addr()?, "serving gRPC");
    tracing::info!(address = %http.local_addr()?, "serving HTTP");
    if let Some(store) = &config.store {
        tracing::info!(directory = %store.directory.display(), "history is kept on disk");
    } else {
        tracing::info!("history is kept in memory only: a restart forgets it");
    }

    let shutdown = CancellationToken::new();
    let config = Config {
        limits: fit_descriptors(config.limits),
        ..config
    };
    let run = nodegrace_aggregator::run(config, Clock::real(), grpc, http, shutdown.clone());
    tokio::select! {
        outcome = run => outcome.map(|()| ExitCode::SUCCESS),
        aborted = second_signal(signals, &shutdown) => aborted.map(|()| ExitCode::from(ABORTED)),
    }
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} ({flag})"))
}

/// The first signal drains; returns at the second, which aborts.
async fn second_signal(
    [interrupt, terminate]: [io::Result<Signal>; 2],
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (interrupt?, terminate?);
    for message in ["signal received, draining", "second signal, aborting"] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!(message);
        shutdown.cancel();
    }
    Ok(())
}

fn log_as_told(args: &Args) {
    let log = tracing_subscriber::fmt()
        .with_env_filter(args.log.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match args.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
