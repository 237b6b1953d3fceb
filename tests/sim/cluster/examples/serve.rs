//! Serves a simulated cluster on a TCP port until Ctrl-C, for kubectl and for agents started by hand.
//!
//! `cargo run -p nodegrace-sim-cluster --example serve -- 127.0.0.1:8099 /tmp/kubeconfig 60`

use std::{env, fs, net::SocketAddr, time::SystemTime};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubeconfig::{Credentials, kubeconfig},
    kubelet::fleet,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut next = |name: &str| {
        arguments
            .next()
            .with_context(|| format!("usage: serve ADDRESS KUBECONFIG SPEED: {name} is missing"))
    };
    let address: SocketAddr = next("ADDRESS")?.parse().context("ADDRESS is no address")?;
    let path = next("KUBECONFIG")?;
    let speed: f64 = next("SPEED")?.parse().context("SPEED is no number")?;

    let clock = Clock::scaled(speed, Clock::real().wall().max(SystemTime::UNIX_EPOCH));
    let cluster = Cluster::start(ClusterSpec::new(fleet(40, 1), 1), &clock)?;
    let address = cluster.listen(address, None).await?;
    fs::write(&path, kubeconfig(address, &Credentials::default()))
        .with_context(|| format!("could not write {path}"))?;
    println!("listening on {address}; KUBECONFIG={path}");
    tokio::signal::ctrl_c().await?;
    cluster.stop().await;
    Ok(())
}
