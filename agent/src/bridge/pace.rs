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
    /// Whether a call may be made now; if so, it is.
    pub(super) fn allows(&mut self, now: Duration) -> bool {
        let allows = now + SLACK >= self.due;
        if allows {
            self.due = self.due.max(now) + INTERVAL;
        }
        allows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds at which calls are made for questions that come at these.
    fn made(asked: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut pace = Pace::default();
        let asked = asked.into_iter();
        asked
            .filter(|now| pace.allows(Duration::from_secs(*now)))
            .collect()
    }

    #[test]
    fn whoever_asks_all_the_time_makes_one_call_every_ten_seconds() {
        assert_eq!(made(0..60), [0, 5, 15, 25, 35, 45, 55]);
    }

    #[test]
    fn the_agents_own_rounds_are_never_too_soon() {
        let rounds = [0, 10, 20, 30];
        assert_eq!(made(rounds), rounds);
        // A round in which the calls before took 5 s, and one in which they took none.
        let uneven = [5, 10, 25, 30, 45];
        assert_eq!(made(uneven), uneven);
    }

    #[test]
    fn time_without_questions_is_not_saved_up() {
        assert_eq!(made([0, 1000, 1001, 1002, 1003, 1004]), [0, 1000]);
    }
}
