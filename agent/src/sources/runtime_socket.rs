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

/// A round that began so little late began in time: else each would be put off until another beat of the agent's clock.
const WAKING: Duration = Duration::from_millis(100);

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
                self.clock.rest_until(next).await;
                let start = self.clock.now();
                let runtime = client.ask(&self.slot).await;
                match runtime.as_ref().map_err(Missing::clone).and_then(answered) {
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
                self.slot.put(runtime, end.saturating_sub(start));
                let begun = if start < next + WAKING { next } else { start };
                next = self
                    .clock
                    .on_beat(next_round(next + self.interval, begun, end));
            }
        };
        let _: Option<Infallible> = shutdown.run_until_cancelled(asking).await;
    }
}

/// When the next round begins that is due at `due`, after one from `start` to `end`. A runtime rests for as long as it took
/// to answer, but no longer than the shortest interval: one that is slow is not busy with us all the time.
fn next_round(due: Duration, start: Duration, end: Duration) -> Duration {
    let rest = end.saturating_sub(start).min(SHORTEST_INTERVAL);
    due.max(start + SHORTEST_INTERVAL).max(end + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn rounds_keep_their_pace_while_the_runtime_answers_quickly() {
        assert_eq!(next_round(seconds(10), seconds(0), seconds(1)), seconds(10));
        assert_eq!(next_round(seconds(60), seconds(0), seconds(5)), seconds(60));
    }

    #[test]
    fn a_runtime_that_takes_long_gets_a_rest() {
        assert_eq!(next_round(seconds(10), seconds(0), seconds(9)), seconds(18));
        assert_eq!(
            next_round(seconds(10), seconds(0), seconds(30)),
            seconds(40)
        );
    }

    #[test]
    fn a_round_that_began_late_does_not_bring_the_next_one_closer() {
        assert_eq!(next_round(seconds(10), seconds(7), seconds(8)), seconds(17));
    }
}
