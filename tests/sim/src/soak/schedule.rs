//! When what happens: the warm-up, in which whatever is bounded reaches its bound, and the measured part.
//!
//! Memory that was never used costs nothing until it is: the buffers of a connection are taken from fresh pages at first, most
//! of which are never written to, and later from pages that other connections have written to. So a process takes more and
//! more, up to what it has allocated, until each of its connections was closed and opened again a few times. That is no leak,
//! and most of it is over when the warm-up is.

use std::time::Duration;

use super::Args;

/// Time over which the agents start, as those of a cluster that is rolled out.
pub(super) const ROLLOUT: Duration = Duration::from_secs(10);
/// How often each agent crashes in the warm-up.
pub(super) const ROUNDS: u32 = 4;
/// How long those agents that crash no more live on before anything is measured: what an agent gathers, and what a stream does on
/// either side, comes to its bound by then. A watch is opened again after five minutes at most, a stream has its second block of
/// places after some 32 batches, and its buffers have met a large one. Pages take longer than what is allocated in them: what was
/// freed between them is taken by others bit by bit.
pub(super) const LIFE: Duration = Duration::from_secs(12 * 60);
/// When the aggregator is killed for the first time: all agents report by then.
const FIRST_KILL: Duration = Duration::from_secs(30);
/// Least time for which a run of the aggregator is measured: shorter ones say nothing of a slope.
const LEAST_MEASURED: Duration = Duration::from_secs(120);

/// When what happens, since the start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// Until each agent has crashed [`ROUNDS`] times after the aggregator was killed, and half of them have lived for [`LIFE`].
    pub(super) warm_up: Duration,
    /// The end of all.
    pub(super) end: Duration,
    /// How long a new run of the aggregator warms up: as long as it takes those agents that still crash to do so as often, and for
    /// [`LIFE`], for the streams of the others are new as well.
    settling: Duration,
    kill_every: Duration,
}

impl Schedule {
    /// The schedule that these flags ask for.
    pub(super) fn of(args: &Args) -> Self {
        let round = Duration::from_secs(args.agents.into()) / args.crashes_per_second;
        let warm_up = FIRST_KILL + ROUNDS * round + LIFE;
        Self {
            warm_up,
            end: warm_up + Duration::from_secs(60 * u64::from(args.minutes)),
            settling: LIFE.max(ROUNDS * round / 2),
            kill_every: Duration::from_secs(args.kill_aggregator_every),
        }
    }

    /// When the aggregator is killed. Never so late that too little is left to be measured of the run that follows.
    pub(super) fn kills(&self) -> impl Iterator<Item = Duration> + use<> {
        let Self {
            warm_up,
            end,
            settling,
            kill_every,
        } = *self;
        let later = (1..).map(move |number| warm_up + kill_every * number);
        let in_time = move |kill: &Duration| *kill + settling + LEAST_MEASURED <= end;
        std::iter::once(FIRST_KILL).chain(later.take_while(in_time))
    }

    /// Whether memory is measured at `now` of a process that runs since `started`.
    pub(super) fn is_measured(&self, now: Duration, started: Duration) -> bool {
        now >= self.warm_up && now >= started + self.settling
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn schedule(flags: &[&str]) -> Schedule {
        let flags = ["soak"].iter().chain(flags);
        Schedule::of(&Args::try_parse_from(flags).expect("flags"))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_warm_up_lasts_until_every_agent_has_crashed_often_enough() {
        let schedule = schedule(&["--agents", "1000", "--crashes-per-second", "10"]);
        assert_eq!(schedule.warm_up, seconds(30 + 4 * 100) + LIFE);
        assert_eq!(schedule.end, schedule.warm_up + seconds(20 * 60));
        assert!(!schedule.is_measured(schedule.warm_up - seconds(1), seconds(0)));
        assert!(schedule.is_measured(schedule.warm_up, seconds(0)));
    }

    #[test]
    fn a_killed_aggregator_warms_up_before_it_is_measured_again() {
        let flags = ["--agents", "1000", "--crashes-per-second", "10"];
        let in_one_piece: Vec<Duration> = schedule(&flags).kills().collect();
        assert_eq!(in_one_piece, [seconds(30)]);
        let soon = ["--kill-aggregator-every", "360"];
        let schedule = schedule(&[&flags[..], &soon].concat());
        let kills: Vec<Duration> = schedule.kills().collect();
        assert_eq!(kills, [seconds(30), schedule.warm_up + seconds(360)]);
        let started = kills[1] + seconds(3);
        assert!(!schedule.is_measured(started + LIFE - seconds(1), started));
        assert!(schedule.is_measured(started + LIFE, started));
    }

    #[test]
    fn it_is_not_killed_when_too_little_would_be_left_to_measure() {
        for minutes in 1..60 {
            let schedule = schedule(&["--minutes", &minutes.to_string()]);
            let later = schedule.kills().skip(1);
            let left = later.map(|kill| schedule.end - kill - schedule.settling);
            assert!(left.min().is_none_or(|least| least >= LEAST_MEASURED));
        }
    }
}
