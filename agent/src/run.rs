//! One agent: starts its tasks, owns every one of them, and drains them in order.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::AgentInstance;
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, info_span};

use crate::{
    config::Config,
    journal::Journal,
    kube_client,
    metrics::{Scrape, Server},
    moment::Moment,
    observe::{LeaseObserver, NodeObserver, Record},
    rhythm::Rhythm,
    sources::{KubeletServer, RuntimeSocket, Sampler},
    uplink::{Aggregators, Uplinks},
    watch::{Fellows, Follower, Heart, Target},
    wire,
};

/// Runs the agent of one node until `shutdown`, then delivers what is left and returns.
///
/// `client` reaches the API server (see [`kube_client`]), `aggregators` one or more aggregators (a channel is one); none of
/// them has to be reachable. Time is `clock`'s. A run that is dropped instead ends as by a crash, once its tasks' turn
/// has come: what its spool holds on disk is delivered by the next one.
///
/// # Errors
/// When the boot id or the token for aggregators cannot be read, the kubelet's credentials cannot be used, the spool's bounds are too tight,
/// the metrics cannot be served where they are to be, or a task
/// ended that should not have.
pub async fn run(
    config: Config,
    client: kube::Client,
    aggregators: impl Into<Aggregators>,
    clock: Clock,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let span = info_span!("agent", node = config.node_name);
    start(config, client, aggregators.into(), clock, shutdown)
        .instrument(span)
        .await
}

async fn start(
    config: Config,
    client: kube::Client,
    aggregators: Aggregators,
    clock: Clock,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let agent = instance(&config, &clock)?;
    let kubelet = config
        .kubelet
        .as_ref()
        .map(|kubelet| kube_client::connect_kubelet(kubelet, &config.timeouts, &clock))
        .transpose()
        .context("kubelet")?;
    let (directory, bytes) = (config.spool_dir.clone(), config.spool_bytes);
    let opening = Journal::open(directory, bytes, &agent, clock.clone());
    // A disk that stands still is not waited for when nothing is to be kept on it any more.
    let opened = shutdown.run_until_cancelled(opening).await.transpose()?;
    let Some(journal) = opened.map(Arc::new) else {
        return Ok(());
    };
    let client = if config.impersonate_own_node {
        kube_client::as_node(client, &config.node_name)?
    } else {
        client
    };
    let rhythm = watch::Sender::new(Rhythm::default());
    let (fellows, heart) = (Fellows::new(), Heart::new(&clock));
    let record = Record::default();
    let mut follow_node = Follower::new(
        client.clone(),
        Target::node(&config.node_name),
        NodeObserver::beside(&record),
        heart.pulse(),
        Arc::clone(&journal),
        config.timeouts.clone(),
        rhythm.clone(),
    )
    .beside(&fellows);
    let mut follow_lease = Follower::new(
        client,
        Target::lease(&config.node_name),
        LeaseObserver::beside(&record),
        heart.pulse(),
        Arc::clone(&journal),
        config.timeouts.clone(),
        rhythm.clone(),
    )
    .beside(&fellows);
    if config.impersonate_own_node {
        follow_node = follow_node.impersonating();
        follow_lease = follow_lease.impersonating().polling();
    }
    let runtime = RuntimeSocket::new(&config, clock.clone());
    let kubelet = KubeletServer::new(kubelet, &config, clock.clone(), Arc::clone(&journal));
    let sampler = Sampler::new(
        &config,
        clock.clone(),
        Arc::clone(&journal),
        rhythm.subscribe(),
        &runtime,
        &kubelet,
    );
    let metrics = match config.metrics_listen {
        None => None,
        Some(address) => {
            let scrape = Scrape {
                journal: Arc::clone(&journal),
                rhythm: rhythm.subscribe(),
                node: config.node_name.clone(),
                clock: clock.clone(),
                reports: aggregators.are_there(),
            };
            Some(Server::bind(address, scrape).await?)
        }
    };
    let uplinks = Uplinks::new(&config, agent, aggregators, Arc::clone(&journal), clock)?;
    info!(version = env!("CARGO_PKG_VERSION"), "agent started");

    let mut writers = JoinSet::new();
    writers.spawn(heart.beat(shutdown.clone()));
    writers.spawn(follow_node.follow(shutdown.clone()).in_current_span());
    writers.spawn(follow_lease.follow(shutdown.clone()).in_current_span());
    writers.spawn(sampler.sample(shutdown.clone()).in_current_span());
    writers.spawn(runtime.ask(shutdown.clone()).in_current_span());
    writers.spawn(kubelet.ask(shutdown.clone()).in_current_span());
    if let Some(metrics) = metrics {
        writers.spawn(metrics.serve(shutdown.clone()).in_current_span());
    }
    let keeping = Arc::clone(&journal).keep(shutdown.clone());
    writers.spawn(keeping.in_current_span());
    // The journal is sealed once every writer has stopped: the uplinks then deliver what is left.
    let sealed = CancellationToken::new();
    let mut delivery = JoinSet::new();
    delivery.spawn(uplinks.deliver(sealed.clone()).in_current_span());

    let ended = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = writers.join_next() => unexpected(ended, &shutdown),
        Some(ended) = delivery.join_next() => unexpected(ended, &shutdown),
    };
    shutdown.cancel();
    while writers.join_next().await.is_some() {}
    sealed.cancel();
    while delivery.join_next().await.is_some() {}
    journal.close().await;
    info!("agent stopped");
    ended
}

/// A task ended: fine while shutting down, a failure of the agent otherwise.
fn unexpected(
    ended: Result<(), tokio::task::JoinError>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    ended.context("a task of the agent failed")?;
    anyhow::ensure!(shutdown.is_cancelled(), "a task of the agent ended");
    Ok(())
}

/// This run of the agent.
fn instance(config: &Config, clock: &Clock) -> anyhow::Result<AgentInstance> {
    let start = Moment::now(clock);
    Ok(AgentInstance {
        boot_id: config.read_boot_id()?,
        start_time: Some(wire::timestamp(start.wall)),
        start_monotonic: Some(wire::duration(start.monotonic)),
        version: env!("CARGO_PKG_VERSION").into(),
    })
}
