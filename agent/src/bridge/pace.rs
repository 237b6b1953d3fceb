//! How often the runtime may be asked the same.

use std::time::Duration;

/// Time between two calls of one kind on the average. The agent's own rounds are no closer, and the kubelet asks the same
/// every second or so.
const INTERVAL: Duration = Duration::from_secs(10);

/// How much sooner a single call may be. The agent's calls of a round go one after the other, and a call is sooner than
/// the interval where those before it took less time than in the round before: by half of it at most, because a runtime
/// that takes long gets a rest (`sources/runtime_socket.rs`).
const SLACK: Duration = Duration::from_secs(5);

/// The pace of calls of one kind.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the next is due by the interval, on the clock.
    due: Duration,
}

impl Pace {
    /// Whether a call may begin now, the one before having taken `took` and ended at `end`.
    pub(super) fn allows(&self, now: Duration, end: Duration, took: Duration) -> bool {
        now + SLACK >= self.due && now >= end + rest(took)
    }

    /// A call begins now.
    pub(super) fn begins(&mut self, now: Duration) {
        self.due = self.due.max(now) + INTERVAL;
    }
}

/// How long the runtime rests after a call that took so long: as long again, up to the interval. A slow one is then not
/// busy with us all the time.
fn rest(took: Duration) -> Duration {
    took.min(INTERVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which calls are made for questions that come at these, each of which takes `took` seconds.
    fn made(asked: impl IntoIterator<Item = u64>, took: u64) -> Vec<u64> {
        let mut pace = Pace::default();
        let (mut end, took) = (None, Duration::from_secs(took));
        let asked = asked.into_iter().filter(|now| {
            let now = Duration::from_secs(*now);
            let allows = end.is_none_or(|end| now >= end && pace.allows(now, end, took));
            if allows {
                pace.begins(now);
                end = Some(now + took);
            }
            allows
        });
        asked.collect()
    }

    #[test]
    fn whoever_asks_all_the_time_makes_one_call_every_ten_seconds() {
        assert_eq!(made(0..60, 0), [0, 5, 15, 25, 35, 45, 55]);
    }

    #[test]
    fn the_agents_own_rounds_are_never_too_soon() {
        let rounds = [0, 10, 20, 30];
        assert_eq!(made(rounds, 1), rounds);
        // A round in which the calls before took 5 s, and one in which they took none.
        let uneven = [5, 10, 25, 30, 45];
        assert_eq!(made(uneven, 0), uneven);
        // As the agent's own, which rests as long as a slow runtime took.
        let slow = [0, 16, 32];
        assert_eq!(made(slow, 8), slow);
    }

    #[test]
    fn time_without_questions_is_not_saved_up() {
        assert_eq!(made([0, 1000, 1001, 1002, 1003, 1004], 0), [0, 1000]);
    }

    #[test]
    fn a_runtime_that_takes_long_rests_as_long_but_no_longer_than_the_interval() {
        assert_eq!(made(0..60, 8), [0, 16, 32, 48]);
        assert_eq!(made(0..100, 30), [0, 40, 80]);
    }
}
