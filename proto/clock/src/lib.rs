//! The one clock of a process: real, or scaled so that a minute shows an hour.
//!
//! Every part is handed a [`Clock`] and reads time from nowhere else (`.clippy.toml` bans the rest). Monotonic time is
//! [`Clock::now`], a duration since boot that includes suspend; wall time is [`Clock::wall`] and serves display. Scaled clocks
//! run on tokio's time, so that a test with paused time runs an hour in no time.

mod anchor;
mod beat;
mod bell;
mod machine;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use bell::Bell;
use machine::Machine;

pub use self::{
    anchor::{Anchor, NoAnchor},
    beat::Beat,
};

/// A clock: cheap to clone, the same for everything that holds a clone.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Real(Bell),
    Scaled {
        speed: f64,
        origin: Instant,
        /// Wall time at `origin`, as nanoseconds since the Unix epoch.
        wall_origin: i64,
        /// How far the wall clock was stepped since, in nanoseconds.
        wall_step: AtomicI64,
        machine: Machine,
    },
}

/// What a scaled clock's monotonic time starts from: a machine that has been up for an hour.
const SCALED_UPTIME: Duration = Duration::from_secs(3600);

/// How often an anchored clock reads the machine's clock twice to find out where tokio's stands.
const READINGS: usize = 5;

impl Clock {
    /// The machine's own clocks: `CLOCK_BOOTTIME` and the wall clock.
    pub fn real() -> Self {
        Self(Arc::new(Kind::Real(Bell::default())))
    }

    /// A clock that runs `speed` times as fast as tokio's, its wall clock starting at `wall`.
    ///
    /// # Panics
    /// When `speed` is not a positive number: there is no such clock.
    pub fn scaled(speed: f64, wall: SystemTime) -> Self {
        Self::scaled_from(speed, wall, Instant::now())
    }

    /// The scaled clock that began at `anchor`: the same for every process of the machine that is given it.
    ///
    /// # Panics
    /// When the anchor's speed is not a positive number.
    pub fn anchored(anchor: Anchor) -> Self {
        let Anchor { speed, since, wall } = anchor;
        // The machine may turn to others between two readings: the closest of several count.
        let readings = (0..READINGS).map(|_| {
            let now = Instant::now();
            let machine = anchor::machine_time();
            (now.elapsed(), now, machine)
        });
        let closest = readings.min_by_key(|(apart, ..)| *apart);
        let (_, now, machine) = closest.expect("there are some");
        // A clock cannot have begun before its machine.
        let origin = now
            .checked_sub(machine.saturating_sub(since))
            .unwrap_or(now);
        Self::scaled_from(speed, wall, origin)
    }

    fn scaled_from(speed: f64, wall: SystemTime, origin: Instant) -> Self {
        assert!(
            speed.is_finite() && speed > 0.0,
            "a clock's speed is a positive number"
        );
        Self(Arc::new(Kind::Scaled {
            speed,
            origin,
            wall_origin: unix_nanos(wall),
            wall_step: AtomicI64::new(0),
            machine: Machine::up_for(SCALED_UPTIME),
        }))
    }

    /// A clock that shares this one's monotonic time but whose wall clock can be stepped on its own: another machine.
    ///
    /// A real clock is returned as it is: nobody steps the machine's wall clock here.
    #[must_use]
    pub fn another_machine(&self) -> Self {
        match &*self.0 {
            Kind::Real(_) => self.clone(),
            Kind::Scaled {
                speed,
                origin,
                wall_origin,
                wall_step,
                machine,
            } => Self(Arc::new(Kind::Scaled {
                speed: *speed,
                origin: *origin,
                wall_origin: *wall_origin,
                wall_step: AtomicI64::new(wall_step.load(Ordering::Relaxed)),
                machine: Machine::up_for(machine.uptime),
            })),
        }
    }

    /// Steps the wall clock of a scaled clock by `seconds`, forward or backward. A real clock stays as it is.
    pub fn step_wall(&self, seconds: f64) {
        if let Kind::Scaled { wall_step, .. } = &*self.0 {
            wall_step.fetch_add((seconds * 1e9) as i64, Ordering::Relaxed);
        }
    }

    /// Monotonic time: since boot, suspend included (`CLOCK_BOOTTIME`), or the scaled clock's own.
    pub fn now(&self) -> Duration {
        match &*self.0 {
            Kind::Real(_) => read(rustix::time::ClockId::Boottime),
            Kind::Scaled {
                speed,
                origin,
                machine,
                ..
            } => machine.uptime + origin.elapsed().mul_f64(*speed),
        }
    }

    /// Wall time, for display and for joining with stamps of the same machine.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    pub fn wall(&self) -> SystemTime {
        match &*self.0 {
            Kind::Real(_) => SystemTime::now(),
            Kind::Scaled {
                wall_origin,
                wall_step,
                machine,
                ..
            } => {
                let elapsed = self.now().saturating_sub(machine.uptime).as_nanos() as i64;
                from_unix_nanos(wall_origin + elapsed + wall_step.load(Ordering::Relaxed))
            }
        }
    }

    /// Sleeps for `duration` of this clock's time.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that sleeps"
    )]
    pub async fn sleep(&self, duration: Duration) {
        match &*self.0 {
            Kind::Real(_) => self.sleep_until(self.now().saturating_add(duration)).await,
            Kind::Scaled { .. } => {
                tokio::time::sleep(self.to_real(duration)).await;
                self.while_it_stands_still().await;
            }
        }
    }

    /// Sleeps until this clock's monotonic time is `deadline`.
    pub async fn sleep_until(&self, deadline: Duration) {
        // tokio's timers wake the process on the way to a moment that is far. Beats do so anyway.
        self.rest_until_last_beat_before(deadline).await;
        self.sleep_alone_until(deadline).await;
    }

    /// As [`Clock::sleep_until`], whether anything beats or not.
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one place that sleeps"
    )]
    async fn sleep_alone_until(&self, deadline: Duration) {
        match &*self.0 {
            Kind::Real(_) => {
                tokio::time::sleep(deadline.saturating_sub(self.now())).await;
            }
            Kind::Scaled {
                origin, machine, ..
            } => {
                let real = self.to_real(deadline.saturating_sub(machine.uptime));
                tokio::time::sleep_until(*origin + real).await;
                self.while_it_stands_still().await;
            }
        }
    }

    /// How long `duration` of this clock's time takes on the machine's clock.
    pub fn to_real(&self, duration: Duration) -> Duration {
        match &*self.0 {
            Kind::Real(_) => duration,
            Kind::Scaled { speed, .. } => duration.div_f64(*speed),
        }
    }
}

/// Reads one of the machine's clocks that start at its boot.
fn read(clock: rustix::time::ClockId) -> Duration {
    let time = rustix::time::clock_gettime(clock);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    )
}

fn unix_nanos(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i64,
        Err(before) => -(before.duration().as_nanos() as i64),
    }
}

fn from_unix_nanos(nanos: i64) -> SystemTime {
    let distance = Duration::from_nanos(nanos.unsigned_abs());
    if nanos >= 0 {
        UNIX_EPOCH + distance
    } else {
        UNIX_EPOCH - distance
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "the tests hold the clock against tokio's"
)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_faster_by_its_speed() {
        let clock = Clock::scaled(60.0, UNIX_EPOCH);
        let (start, wall) = (clock.now(), clock.wall());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(clock.now() - start, Duration::from_secs(60));
        assert_eq!(
            clock.wall().duration_since(wall).expect("time goes on"),
            Duration::from_secs(60)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn sleeping_until_a_moment_ends_at_that_moment() {
        let clock = Clock::scaled(10.0, UNIX_EPOCH);
        let deadline = clock.now() + Duration::from_secs(100);
        clock.sleep_until(deadline).await;
        assert!(clock.now() >= deadline && clock.now() < deadline + Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn stepping_one_machines_wall_clock_leaves_the_others_and_its_monotonic_time_alone() {
        let clock = Clock::scaled(1.0, UNIX_EPOCH + Duration::from_secs(1000));
        let other = clock.another_machine();
        let before = other.now();
        other.step_wall(-30.0);
        assert_eq!(other.now(), before);
        assert_eq!(
            clock
                .wall()
                .duration_since(other.wall())
                .expect("stepped back"),
            Duration::from_secs(30)
        );
    }

    #[test]
    fn the_real_clock_moves_forward() {
        let clock = Clock::real();
        assert!(clock.now() > Duration::ZERO && clock.now() <= clock.now());
    }
}
