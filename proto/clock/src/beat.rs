//! A beat that never stops, for whoever looks at a clock several times a second and does nothing else for most of a day.
//!
//! Sleeping again and again costs more than it looks: tokio sorts timers by how far they are, so that one of half a second wakes
//! its process twice, and to set it wakes the driver once more. A timer of the kernel's that goes on by itself wakes it once.

use std::{os::fd::OwnedFd, time::Duration};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::{Clock, Kind};

/// Beats at the multiples of a period of one clock, and wakes whoever sleeps or rests by that clock ([`Clock::rest_until`]). So a task
/// is to wait for one beat after the other for as long as it is there: else they sleep on.
#[derive(Debug)]
pub struct Beat {
    clock: Clock,
    period: Duration,
    /// The kernel's timer. Absent: the clock is no real one, or the kernel refused, and the beat is slept for.
    timer: Option<AsyncFd<OwnedFd>>,
}

impl Beat {
    /// A beat of `clock`, `period` of its time apart, which is more than nothing.
    ///
    /// # Panics
    /// On a real clock outside of a tokio runtime that drives IO.
    pub fn every(clock: &Clock, period: Duration) -> Self {
        let timer = match &*clock.0 {
            Kind::Real(_) => start(clock.now(), period).ok(),
            Kind::Scaled { .. } => None,
        };
        if let Kind::Real(bell) = &*clock.0 {
            bell.hang(period);
        }
        Self {
            clock: clock.clone(),
            period,
            timer,
        }
    }

    /// Waits for the next beat. Those that passed while nobody waited are one; whoever stops waiting loses none.
    pub async fn next(&mut self) {
        self.pass().await;
        if let Kind::Real(bell) = &*self.clock.0 {
            bell.ring(self.clock.now());
        }
    }

    async fn pass(&mut self) {
        while let Some(timer) = &self.timer {
            let Ok(mut ready) = timer.readable().await else {
                break;
            };
            // The kernel's timer goes on once it was read.
            let beats =
                ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; size_of::<u64>()])?));
            match beats {
                Ok(Ok(_)) => {
                    ready.clear_ready();
                    return;
                }
                Ok(Err(_)) => break,
                Err(_not_yet) => {}
            }
        }
        self.timer = None;
        let now = self.clock.now();
        self.clock
            .sleep_alone_until(following(now, self.period))
            .await;
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        if let Kind::Real(bell) = &*self.clock.0 {
            bell.take_down(self.period);
        }
    }
}

/// Starts a timer of the kernel's at the multiples of `period`.
#[allow(
    deprecated,
    reason = "what came after it is unsafe, for descriptors that may be closed meanwhile; an owned one is not"
)]
fn start(now: Duration, period: Duration) -> std::io::Result<AsyncFd<OwnedFd>> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
    let schedule = Itimerspec {
        it_interval: timespec(period)?,
        it_value: timespec(following(now, period))?,
    };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME, &schedule)?;
    AsyncFd::new(timer)
}

/// The first multiple of `period` after `now`.
fn following(now: Duration, period: Duration) -> Duration {
    let passed = now.as_nanos().checked_rem(period.as_nanos()).unwrap_or(0);
    now + period - Duration::from_nanos(passed as u64)
}

fn timespec(duration: Duration) -> std::io::Result<Timespec> {
    Timespec::try_from(duration).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(30);

    #[tokio::test]
    async fn a_real_clock_beats_at_the_multiples_of_the_period_by_the_kernels_timer() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        let start = clock.now();
        for _ in 0..4 {
            beat.next().await;
        }
        let took = clock.now() - start;
        assert!(took > 3 * PERIOD, "{took:?}");
        assert!(beat.timer.is_some(), "it was not slept for");
    }

    #[tokio::test]
    async fn beats_that_nobody_waited_for_are_one() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        Clock::real().sleep(4 * PERIOD).await;
        let slept = clock.now();
        beat.next().await;
        beat.next().await;
        assert!(
            clock.now() >= following(slept, PERIOD),
            "the second was still to come"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_beats_by_its_own_time() {
        let clock = Clock::scaled(60.0, UNIX_EPOCH);
        clock.sleep(PERIOD / 3).await;
        let start = clock.now();
        let mut beat = Beat::every(&clock, Duration::from_secs(30));
        for _ in 0..10 {
            beat.next().await;
        }
        let took = (clock.now() - start).as_secs_f64();
        assert!(took > 269.0 && took < 301.0, "{took}");
    }
}
