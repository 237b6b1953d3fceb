//! Where a source that may be slow leaves its readings, so that nobody waits for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodegrace_proto::v1::Failure;

use super::{Missing, Reading};

/// The newest reading of a source that runs in a task of its own.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    newest: Timed<T>,
    /// True once the newest reading was taken into a sample.
    taken: bool,
    /// What the source waits for, and since when.
    pending: Option<(&'static str, Duration)>,
}

/// A reading and how long it took. `None`: it was not tried.
#[derive(Clone, Debug)]
pub(super) struct Timed<T> {
    pub(super) reading: Reading<T>,
    pub(super) took: Option<Duration>,
    /// True when a sample before has this reading.
    pub(super) told_before: bool,
}

impl<T: Clone> Slot<T> {
    /// A slot whose source has not read anything, for the reason in words.
    pub(super) fn empty(reason: &str) -> Self {
        Self {
            state: Mutex::new(State {
                newest: Timed {
                    reading: Err(Missing::Absent(reason.into())),
                    took: None,
                    told_before: false,
                },
                taken: true,
                pending: None,
            }),
        }
    }

    /// The source begins to wait for the answer to `call`.
    pub(super) fn wait(&self, call: &'static str, now: Duration) {
        self.lock().pending = Some((call, now));
    }

    /// The source has a reading.
    pub(super) fn put(&self, reading: Reading<T>, took: Duration) {
        let mut state = self.lock();
        state.newest = Timed {
            reading,
            took: Some(took),
            told_before: false,
        };
        state.taken = false;
        state.pending = None;
    }

    /// The reading for a sample taken at `now`. Each is taken at least once; after that, a call that has not been answered
    /// is what there is to tell, and else the newest reading again.
    pub(super) fn take(&self, now: Duration) -> Timed<T> {
        let mut state = self.lock();
        if let Some((call, since)) = state.pending
            && state.taken
        {
            let waited = now.saturating_sub(since);
            return Timed {
                reading: Err(Missing::Unanswered(
                    Failure::Pending,
                    format!("{call}: no answer for {:.1} s", waited.as_secs_f64()),
                )),
                took: Some(waited),
                told_before: false,
            };
        }
        state.taken = true;
        let told = state.newest.clone();
        state.newest.told_before = true;
        told
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_reading_is_told_before_the_call_that_hangs_after_it() {
        let slot = Slot::empty("not asked yet");
        slot.put(Ok(1), seconds(1));
        slot.wait("ListImages", seconds(10));
        assert_eq!(slot.take(seconds(12)).reading, Ok(1));
        let hanging = slot.take(seconds(22));
        assert_eq!(
            hanging.reading,
            Err(Missing::Unanswered(
                Failure::Pending,
                "ListImages: no answer for 12.0 s".into()
            ))
        );
        assert_eq!(hanging.took, Some(seconds(12)));
    }

    #[test]
    fn between_two_calls_the_newest_reading_is_told_again() {
        let slot = Slot::empty("not asked yet");
        assert_eq!(
            slot.take(seconds(0)).reading,
            Err(Missing::Absent("not asked yet".into()))
        );
        slot.put(Ok(1), seconds(1));
        let told = |now| {
            let timed = slot.take(seconds(now));
            (timed.reading, timed.told_before)
        };
        assert_eq!(told(1), (Ok(1), false));
        assert_eq!(told(2), (Ok(1), true));
        slot.put(Ok(2), seconds(1));
        assert_eq!(told(3), (Ok(2), false));
    }
}
