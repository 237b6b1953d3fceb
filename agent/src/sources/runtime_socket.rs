//! Asks the runtime at its own pace, so that no sample waits for it.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::Runtime;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    Missing,
    runtime::{RuntimeClient, answered},
    slot::Slot,
};
use crate::{condition::Condition, config::Config};

/// Shortest time between two rounds of calls: the kubelet asks the same every second or two, an agent must not add much.
pub(super) const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);

/// The source that is the runtime's socket, if one is given.
pub(crate) struct RuntimeSocket {
    socket: Option<PathBuf>,
    deadline: Duration,
    interval: Duration,
    clock: Clock,
    slot: Arc<Slot<Runtime>>,
}

impl RuntimeSocket {
    pub(crate) fn new(config: &Config, clock: Clock) -> Self {
        let reason = if config.cri_socket.is_some() {
            "not asked yet"
        } else {
            "no --cri-socket given"
        };
        Self {
            socket: config.cri_socket.clone(),
            deadline: config.cri_timeout,
            interval: config.sample_interval.max(SHORTEST_INTERVAL),
            clock,
            slot: Arc::new(Slot::empty(reason)),
        }
    }

    /// Where the readings are left.
    pub(super) fn readings(&self) -> Arc<Slot<Runtime>> {
        Arc::clone(&self.slot)
    }

    /// Asks again and again until `shutdown`.
    pub(crate) async fn ask(self, shutdown: CancellationToken) {
        let Some(socket) = self.socket.clone() else {
            shutdown.cancelled().await;
            return;
        };
        let mut client = RuntimeClient::new(socket.clone(), self.clock.clone(), self.deadline);
        let mut condition = Condition::default();
        let asking = async {
            let mut next = self.clock.now();
            loop {
                self.clock.sleep_until(next).await;
                let start = self.clock.now();
                let runtime = client.ask(&self.slot).await;
                match answered(&runtime) {
                    Ok(()) if condition.works() => {
                        info!(socket = %socket.display(), "the runtime answers again");
                    }
                    Err(Missing::Failed(error) | Missing::Absent(error))
                        if condition.fails(&error) =>
                    {
                        warn!(socket = %socket.display(), error, "the runtime cannot be asked");
                    }
                    _ => {}
                }
                let end = self.clock.now();
                self.slot.put(Ok(runtime), end.saturating_sub(start));
                // A round that took longer than the interval is followed by a rest.
                next = (next + self.interval)
                    .max(start + SHORTEST_INTERVAL)
                    .max(end);
            }
        };
        let _: Option<Infallible> = shutdown.run_until_cancelled(asking).await;
    }
}
