//! Waking up together: whoever may sleep a little longer waits for a beat of his clock, and not for a timer of his own.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{Clock, Kind};

/// What a beat rings for those who rest.
#[derive(Debug, Default)]
pub(super) struct Bell(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Beats that ring it, by their periods.
    beats: BTreeMap<Duration, usize>,
    /// How many rested so far.
    rested: u64,
    /// Who rests, by the moment until which he does at least.
    resting: BTreeMap<(Duration, u64), Waker>,
}

/// One who rests until a beat wakes him, or until there is no beat.
struct Rest<'a> {
    bell: &'a Bell,
    key: (Duration, u64),
}

impl Bell {
    /// A beat of this period will ring from now on.
    pub(super) fn hang(&self, period: Duration) {
        *self.lock().beats.entry(period).or_default() += 1;
    }

    /// A beat of this period rings no more. Where it was the last one, nobody rests any longer.
    pub(super) fn take_down(&self, period: Duration) {
        let mut state = self.lock();
        if let Some(beats) = state.beats.get_mut(&period) {
            *beats -= 1;
            if *beats == 0 {
                state.beats.remove(&period);
            }
        }
        if state.beats.is_empty() {
            let resting = std::mem::take(&mut state.resting);
            drop(state);
            wake(resting);
        }
    }

    /// Wakes everybody who rests until `now` or less.
    pub(super) fn ring(&self, now: Duration) {
        let mut state = self.lock();
        let first = state.resting.first_key_value();
        if first.is_none_or(|((until, _), _)| *until > now) {
            // As at most beats.
            return;
        }
        let longer = state.resting.split_off(&(now, u64::MAX));
        let resting = std::mem::replace(&mut state.resting, longer);
        drop(state);
        wake(resting);
    }

    /// The period of the fastest beat. Absent: nothing beats.
    fn period(&self) -> Option<Duration> {
        self.lock().beats.keys().next().copied()
    }

    fn rest(&self, until: Duration) -> Rest<'_> {
        let mut state = self.lock();
        state.rested += 1;
        let key = (until, state.rested);
        if !state.beats.is_empty() {
            state.resting.insert(key, Waker::noop().clone());
        }
        Rest { bell: self, key }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done by who panics here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Rest<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.bell.lock().resting.get_mut(&self.key) {
            Some(waker) => {
                waker.clone_from(context.waker());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Rest<'_> {
    fn drop(&mut self) {
        self.bell.lock().resting.remove(&self.key);
    }
}

fn wake(resting: BTreeMap<(Duration, u64), Waker>) {
    for waker in resting.into_values() {
        waker.wake();
    }
}

impl Clock {
    /// Sleeps until this clock's monotonic time is `deadline`, and on until the next [`Beat`](super::Beat) of it where there is one: waking up
    /// costs more than most of what is done then.
    pub async fn rest_until(&self, deadline: Duration) {
        if let Kind::Real(bell) = &*self.0
            && self.now() < deadline
        {
            bell.rest(deadline).await;
        }
        if self.now() < deadline {
            self.sleep_until(deadline).await;
        }
    }

    /// Sleeps for `real` time, whatever clock this is, or less: until the last [`Beat`](super::Beat) of it in that time, where there is one.
    #[allow(
        clippy::disallowed_methods,
        reason = "this crate is the one that sleeps"
    )]
    pub async fn rest_within(&self, real: Duration) {
        let period = match &*self.0 {
            Kind::Real(bell) => bell.period().filter(|period| *period <= real),
            Kind::Scaled { .. } => None,
        };
        match period {
            Some(_) => self.rest_until_last_beat_before(self.now() + real).await,
            None => tokio::time::sleep(real).await,
        }
    }

    /// Rests until the last beat that is no later than `deadline`. Does nothing where there is none before it.
    pub(super) async fn rest_until_last_beat_before(&self, deadline: Duration) {
        if let Kind::Real(bell) = &*self.0
            && let Some(period) = bell.period()
        {
            // The first one after any other is the last.
            let others = (deadline + Duration::from_nanos(1)).saturating_sub(period);
            if self.now() < others {
                bell.rest(others).await;
            }
        }
    }

    /// When whoever rests until `moment` wakes up: at the first beat from then on, or at that moment where nothing beats.
    pub fn on_beat(&self, moment: Duration) -> Duration {
        let period = match &*self.0 {
            Kind::Real(bell) => bell.period(),
            Kind::Scaled { .. } => None,
        };
        let period = period.map_or(0, |period| period.as_nanos());
        match moment.as_nanos().checked_rem(period) {
            None | Some(0) => moment,
            Some(passed) => moment + Duration::from_nanos((period - passed) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tokio::time::timeout;

    use super::*;
    use crate::Beat;

    const PERIOD: Duration = Duration::from_millis(40);

    #[tokio::test]
    async fn who_rests_wakes_with_a_beat_at_his_moment_or_after_it_and_by_no_other() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        beat.next().await;
        let start = clock.on_beat(clock.now());
        let until = start + PERIOD / 2;
        let resting = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.rest_until(until).await;
                clock.now()
            }
        });
        Clock::real().sleep(4 * PERIOD).await;
        let slept = clock.now();
        assert!(!resting.is_finished(), "nothing has beaten for him yet");
        beat.next().await;
        assert!(resting.await.expect("he wakes") >= slept);
        assert_eq!(clock.on_beat(until), start + PERIOD);
        assert_eq!(clock.on_beat(start), start);
    }

    #[tokio::test]
    async fn who_rests_where_nothing_beats_or_beats_no_more_sleeps_by_himself() {
        let clock = Clock::real();
        let beat = Beat::every(&clock, 100 * PERIOD);
        let until = clock.now() + PERIOD;
        let resting = clock.rest_until(until);
        let ended = async {
            clock.sleep(PERIOD / 4).await;
            drop(beat);
        };
        let both = async { tokio::join!(resting, ended) };
        timeout(50 * PERIOD, both)
            .await
            .expect("no beat is awaited");
        assert!(clock.now() >= until);
        assert_eq!(clock.on_beat(until), until);
    }

    #[tokio::test]
    async fn who_rests_no_longer_than_so_long_wakes_with_the_last_beat_before() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        beat.next().await;
        let start = clock.now();
        let most = 3 * PERIOD;
        tokio::select! {
            () = clock.rest_within(most) => {}
            () = async { loop { beat.next().await } } => {}
        }
        let rested = clock.now() - start;
        assert!(rested > most - PERIOD, "{rested:?}");
        let last = clock.on_beat(start + most - PERIOD);
        assert!(clock.now() < last + PERIOD / 2, "{rested:?}");
    }

    #[tokio::test]
    async fn who_sleeps_where_something_beats_wakes_at_his_moment_and_not_at_a_beat() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        beat.next().await;
        let until = clock.now() + 2 * PERIOD + PERIOD / 2;
        tokio::select! {
            () = clock.sleep_until(until) => {}
            () = async { loop { beat.next().await } } => {}
        }
        let late = clock.now().checked_sub(until).expect("not before it");
        assert!(late < PERIOD / 2, "{late:?}");
    }

    #[tokio::test]
    async fn who_stops_resting_leaves_nothing_behind() {
        let clock = Clock::real();
        let _beat = Beat::every(&clock, PERIOD);
        let long = clock.rest_until(clock.now() + 1000 * PERIOD);
        assert!(timeout(PERIOD, long).await.is_err());
        let Kind::Real(bell) = &*clock.0 else {
            unreachable!("it is real");
        };
        assert!(bell.lock().resting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn on_a_scaled_clock_rest_is_as_exact_as_sleep() {
        let clock = Clock::scaled(60.0, UNIX_EPOCH);
        let _beat = Beat::every(&clock, Duration::from_secs(30));
        let start = clock.now();
        clock.rest_until(start + Duration::from_secs(7)).await;
        let rested = (clock.now() - start).as_secs_f64();
        assert!((7.0..7.1).contains(&rested), "{rested}");
        clock.rest_within(Duration::from_secs(1)).await;
        assert!((clock.now() - start).as_secs_f64() >= 67.0);
        assert_eq!(clock.on_beat(start), start);
    }
}
