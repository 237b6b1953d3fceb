//! An agent that shares its machine's fate: it ends when the machine fails, and another starts some seconds after the kubelet of
//! the next boot, as a `DaemonSet`'s pod does.

use std::time::Duration;

use nodegrace_agent::{Aggregators, Config};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::kubelet::SimNode;
use tokio_util::sync::CancellationToken;

/// From the start of the kubelet until that of the pod: the kubelet syncs its pods, the runtime makes a sandbox.
const POD_START: Duration = Duration::from_secs(4);

/// Runs the agents of one node, one per boot, until `stop` or the first that ends by itself. `connect` opens the connections of
/// each to the API server and to the aggregators.
pub(super) async fn live<C>(
    node: SimNode,
    mut config: Config,
    connect: C,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()>
where
    C: Fn() -> (kube::Client, Aggregators),
{
    let mut power = node.power();
    loop {
        let boot = power.borrow_and_update().clone();
        config.boot_id = Some(boot.boot_id.clone());
        let (api_server, aggregators) = connect();
        let agent = nodegrace_agent::run(
            config.clone(),
            api_server,
            aggregators,
            boot.clock,
            stop.clone(),
        );
        // A run that is dropped ends as by a crash.
        tokio::select! {
            ended = agent => return ended,
            _ = power.wait_for(|power| power.boots != boot.boots || !power.on) => {}
        }
        let next = async {
            let _ = power.wait_for(|power| power.on).await;
            clock.sleep(POD_START).await;
        };
        if stop.run_until_cancelled(next).await.is_none() {
            return Ok(());
        }
    }
}
