//! What happens to a whole machine, and so to everything that runs by its clock: it stands still, is suspended, boots anew.
//!
//! A real machine's clock only tells of it; a scaled clock's machine can be made to.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{Clock, Kind, read, unix_nanos};

/// The machine of a scaled clock.
#[derive(Debug)]
pub(super) struct Machine {
    /// Monotonic time at the clock's origin.
    pub(super) uptime: Duration,
    /// Until when it stands still, in nanoseconds of its monotonic time.
    still_until: AtomicU64,
    /// How long it was suspended since its boot, in nanoseconds.
    suspended: AtomicU64,
}

impl Machine {
    pub(super) fn up_for(uptime: Duration) -> Self {
        Self {
            uptime,
            still_until: AtomicU64::new(0),
            suspended: AtomicU64::new(0),
        }
    }
}

impl Clock {
    /// How long the machine was suspended since its boot: `CLOCK_BOOTTIME` less `CLOCK_MONOTONIC`, which stands still meanwhile.
    pub fn suspended(&self) -> Duration {
        match &*self.0 {
            Kind::Real(_) => {
                let awake = read(rustix::time::ClockId::Monotonic);
                // Read after the other: never more than the truth, and zero where they are one clock.
                self.now().saturating_sub(awake)
            }
            Kind::Scaled { machine, .. } => {
                Duration::from_nanos(machine.suspended.load(Ordering::Relaxed))
            }
        }
    }

    /// Lets the machine of a scaled clock stand still for `duration` from now, as its hypervisor may: its clocks go on, and
    /// whoever sleeps by this clock wakes up afterwards. A real machine goes on.
    pub fn stand_still(&self, duration: Duration) {
        if let Kind::Scaled { machine, .. } = &*self.0 {
            let until = self.now() + duration;
            machine
                .still_until
                .fetch_max(until.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Suspends the machine of a scaled clock for `duration` from now: it stands still, and knows it afterwards.
    pub fn suspend(&self, duration: Duration) {
        if let Kind::Scaled { machine, .. } = &*self.0 {
            let nanos = duration.as_nanos() as u64;
            machine.suspended.fetch_add(nanos, Ordering::Relaxed);
        }
        self.stand_still(duration);
    }

    /// Until when the machine stands still. Absent: it does not.
    pub fn stands_still_until(&self) -> Option<Duration> {
        match &*self.0 {
            Kind::Real(_) => None,
            Kind::Scaled { machine, .. } => {
                let until = Duration::from_nanos(machine.still_until.load(Ordering::Relaxed));
                (until > self.now()).then_some(until)
            }
        }
    }

    /// The clock of the same machine after it was booted `uptime` ago: monotonic time starts anew, the wall clock is the same.
    /// A real clock is returned as it is.
    #[must_use]
    pub fn rebooted(&self, uptime: Duration) -> Self {
        match &*self.0 {
            Kind::Real(_) => self.clone(),
            Kind::Scaled { speed, .. } => Self(Arc::new(Kind::Scaled {
                speed: *speed,
                origin: Instant::now(),
                wall_origin: unix_nanos(self.wall()),
                wall_step: AtomicI64::new(0),
                machine: Machine::up_for(uptime),
            })),
        }
    }

    /// Returns when the machine does not stand still.
    pub async fn while_it_stands_still(&self) {
        while let (
            Some(until),
            Kind::Scaled {
                origin, machine, ..
            },
        ) = (self.stands_still_until(), &*self.0)
        {
            let real = self.to_real(until.saturating_sub(machine.uptime));
            tokio::time::sleep_until(*origin + real).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn clock() -> Clock {
        Clock::scaled(1.0, UNIX_EPOCH + MINUTE)
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_on_a_machine_that_stands_still_wakes_up_afterwards() {
        let (clock, start) = (clock(), clock().now());
        clock.stand_still(MINUTE);
        assert_eq!(clock.stands_still_until(), Some(start + MINUTE));
        clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), start + MINUTE);
        assert_eq!(clock.stands_still_until(), None);
        assert_eq!(clock.suspended(), Duration::ZERO);
        clock.sleep_until(start + 2 * MINUTE).await;
        assert_eq!(clock.now(), start + 2 * MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_falls_still_while_somebody_sleeps_holds_him_too() {
        let clock = clock();
        let start = clock.now();
        let sleeper = clock.sleep(Duration::from_secs(10));
        let holder = async {
            clock.sleep(Duration::from_secs(5)).await;
            clock.suspend(MINUTE);
        };
        tokio::join!(sleeper, holder);
        assert_eq!(clock.now(), start + Duration::from_secs(65));
        assert_eq!(clock.suspended(), MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rebooted_machine_counts_anew_and_keeps_the_date() {
        let clock = clock();
        clock.suspend(MINUTE);
        clock.sleep(MINUTE).await;
        let rebooted = clock.rebooted(Duration::from_secs(20));
        assert_eq!(rebooted.now(), Duration::from_secs(20));
        assert_eq!(rebooted.wall(), clock.wall());
        assert_eq!(rebooted.suspended(), Duration::ZERO);
        rebooted.sleep_until(Duration::from_secs(30)).await;
        assert_eq!(rebooted.now(), Duration::from_secs(30));
        assert_eq!(rebooted.wall(), clock.wall());
    }

    #[test]
    fn a_real_machine_knows_how_long_it_was_suspended_and_goes_on() {
        let clock = Clock::real();
        clock.stand_still(MINUTE);
        assert_eq!(clock.stands_still_until(), None);
        assert!(clock.suspended() < clock.now());
    }
}
