//! Words about what a stranger can make happen as often as he likes: said at once, and then seldom, with how often it was.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use nodegrace_clock::Clock;

/// Time between two words about the same thing: an operator sees that it goes on, and no disk fills up with it.
const INTERVAL: Duration = Duration::from_secs(60);

/// What is worth a word, but not every time.
#[derive(Debug)]
pub(crate) struct Seldom {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// When it was said last, on the clock. Absent: never.
    said: Option<Duration>,
    unsaid: u64,
}

impl Seldom {
    /// Something that was not said yet.
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }

    /// It happened once more. Says how often it did since the last word, this time included, when it is time for one.
    pub(crate) fn happens(&self) -> Option<u64> {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.unsaid += 1;
        let is_time = |said| now.saturating_sub(said) >= INTERVAL;
        state.said.is_none_or(is_time).then(|| {
            state.said = Some(now);
            std::mem::take(&mut state.unsaid)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_told_at_once_and_then_once_a_minute_with_its_size() {
        let clock = Clock::scaled(1.0, UNIX_EPOCH);
        let flood = Seldom::new(clock.clone());
        assert_eq!(flood.happens(), Some(1));
        for _ in 0..1000 {
            assert_eq!(flood.happens(), None);
        }
        clock.sleep(INTERVAL).await;
        assert_eq!(flood.happens(), Some(1001));
        assert_eq!(flood.happens(), None);
    }
}
