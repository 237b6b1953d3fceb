//! Looks a name up again and again, and starts an uplink to every address that appears behind it.

use std::{sync::Arc, time::Duration};

use nodegrace_kube::Pauses;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, warn};

use super::{LONGEST_PAUSE, SHORTEST_PAUSE, Shared, directory::Directory, roster::Roster};
use crate::{came_home::came_home, condition::Condition};

/// Time between two lookups: how long a new replica waits for its first report. Cluster DNS itself caches for up to 30 s.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(30);

/// Least time between two lookups, however many streams break.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);

impl Shared {
    /// Starts an uplink to every address that `directory` lists until `sealed`.
    pub(super) async fn discover(
        self: &Arc<Self>,
        directory: &dyn Directory,
        running: &mut JoinSet<()>,
        sealed: &CancellationToken,
    ) {
        let mut roster = Roster::default();
        let mut condition = Condition::default();
        let mut pauses = Pauses::between(SHORTEST_PAUSE, LONGEST_PAUSE);
        loop {
            let Some(listed) = sealed.run_until_cancelled(directory.look_up()).await else {
                return;
            };
            let pause = match listed {
                Ok(listed) => {
                    pauses.reset();
                    if condition.works() {
                        info!("the aggregator's name is resolved again");
                    }
                    for arrival in roster.list(&listed, self.clock.now()) {
                        let address = arrival.address;
                        info!(%address, "an aggregator appeared");
                        let uplink = self.uplink(address.to_string(), directory.channel(address));
                        let delivery = uplink.deliver(sealed.clone(), arrival.gone);
                        running.spawn(delivery.in_current_span());
                    }
                    None
                }
                Err(failure) => {
                    let error = failure.to_string();
                    if condition.fails(&error) {
                        warn!(
                            name = directory.name(),
                            error, "the aggregator's name is not resolved, trying again"
                        );
                    }
                    Some(pauses.next())
                }
            };
            if self.wait(pause, running, sealed).await.is_none() {
                return;
            }
        }
    }

    /// Waits for the next lookup: for `pause` after a failed one, else until it is time or a stream broke. `None`: sealed.
    async fn wait(
        &self,
        pause: Option<Duration>,
        running: &mut JoinSet<()>,
        sealed: &CancellationToken,
    ) -> Option<()> {
        let due = async {
            let Some(pause) = pause else {
                self.clock.sleep(SHORTEST_INTERVAL).await;
                let rest = self.clock.sleep(LOOK_UP_INTERVAL - SHORTEST_INTERVAL);
                tokio::select! {
                    () = rest => {}
                    () = self.trouble.notified() => {}
                }
                return;
            };
            self.clock.sleep(pause).await;
        };
        let mut due = std::pin::pin!(due);
        loop {
            tokio::select! {
                () = sealed.cancelled() => return None,
                () = &mut due => return Some(()),
                // One whose address is gone.
                Some(ended) = running.join_next() => {
                    came_home(ended);
                }
            }
        }
    }
}
