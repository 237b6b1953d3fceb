//! /proc/stat: shares of CPU time by mode since the sample before, and the number of processors.

use std::{path::Path, time::Duration};

use nodegrace_proto::v1::CpuShares;
use procfs::{ExplicitSystemInfo, FromBufReadSI as _, KernelStats};

use super::{Missing, Reading, read_file, unreadable};
use crate::wire;

/// Ticks of CPU time in a second (`USER_HZ`): 100 on every architecture that runs Kubernetes.
const TICKS_PER_SECOND: u64 = 100;

/// Remembers the counters of the sample before.
#[derive(Debug, Default)]
pub(super) struct CpuMeter {
    before: Option<(Duration, Times)>,
}

/// What /proc/stat says at one moment.
#[derive(Debug)]
pub(super) struct CpuReading {
    /// Processors that are online.
    pub(super) cpus: u32,
    /// Shares since the reading before. `None` for the first.
    pub(super) shares: Option<CpuShares>,
}

/// CPU time since boot, in ticks, over all processors.
#[derive(Clone, Copy, Debug)]
struct Times {
    user: u64,
    system: u64,
    iowait: u64,
    steal: u64,
    idle: u64,
}

impl CpuMeter {
    pub(super) fn read(&mut self, proc_root: &Path, now: Duration) -> Reading<CpuReading> {
        let (times, cpus) = parse(&read_file(&proc_root.join("stat"))?)?;
        let before = self.before.replace((now, times));
        let shares =
            before.and_then(|(then, before)| shares(before, times, cpus, now.saturating_sub(then)));
        Ok(CpuReading { cpus, shares })
    }
}

fn parse(text: &str) -> Reading<(Times, u32)> {
    // Of these, none has to do with the figures that are used.
    let any = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: TICKS_PER_SECOND,
        page_size: 4096,
        is_little_endian: true,
    };
    let stats = KernelStats::from_buf_read(text.as_bytes(), &any).map_err(unreadable("stat"))?;
    if stats.cpu_time.is_empty() {
        return Err(Missing::Failed("stat: names no processor".into()));
    }
    let total = &stats.total;
    let times = Times {
        // A guest's time is part of the user time already.
        user: total.user.saturating_add(total.nice),
        system: total
            .system
            .saturating_add(total.irq.unwrap_or(0))
            .saturating_add(total.softirq.unwrap_or(0)),
        iowait: total.iowait.unwrap_or(0),
        steal: total.steal.unwrap_or(0),
        idle: total.idle,
    };
    Ok((times, stats.cpu_time.len() as u32))
}

/// Shares of the time between two readings. `None` when no time passed. iowait may go back by a little (`proc_stat(5)`): then
/// it is taken as none.
fn shares(before: Times, now: Times, cpus: u32, interval: Duration) -> Option<CpuShares> {
    let user = now.user.saturating_sub(before.user);
    let system = now.system.saturating_sub(before.system);
    let iowait = now.iowait.saturating_sub(before.iowait);
    let steal = now.steal.saturating_sub(before.steal);
    let idle = now.idle.saturating_sub(before.idle);
    let all: u128 = [user, system, iowait, steal, idle]
        .map(u128::from)
        .iter()
        .sum();
    let share = |ticks: u64| ticks as f64 / all as f64;
    let there_were = interval.as_secs_f64() * f64::from(cpus) * TICKS_PER_SECOND as f64;
    (all > 0).then(|| CpuShares {
        interval: Some(wire::duration(interval)),
        user_ratio: share(user),
        system_ratio: share(system),
        iowait_ratio: share(iowait),
        steal_ratio: share(steal),
        idle_ratio: share(idle),
        counted_ratio: (there_were > 0.0).then(|| all as f64 / there_were),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(user: u64, idle: u64, iowait: u64) -> String {
        format!(
            "cpu  {user} 10 20 {idle} {iowait} 3 4 5 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\n\
             intr 1\nctxt 5\nbtime 1\nprocesses 3\nprocs_running 2\nprocs_blocked 1\n"
        )
    }

    #[test]
    fn shares_are_those_of_the_time_between_two_samples() {
        let (before, cpus) = parse(&stat(100, 1000, 50)).unwrap();
        let (now, _) = parse(&stat(160, 1030, 60)).unwrap();
        assert_eq!(cpus, 2);
        let shares = shares(before, now, cpus, Duration::from_secs(10)).unwrap();
        assert_eq!(
            (shares.user_ratio, shares.idle_ratio, shares.iowait_ratio),
            (0.6, 0.3, 0.1)
        );
        assert_eq!((shares.system_ratio, shares.steal_ratio), (0.0, 0.0));
    }

    #[test]
    fn a_counter_that_goes_back_counts_as_nothing() {
        let (before, _) = parse(&stat(100, 1000, 60)).unwrap();
        let (now, _) = parse(&stat(110, 1030, 50)).unwrap();
        let shares = shares(before, now, 2, Duration::from_secs(10)).unwrap();
        assert_eq!((shares.user_ratio, shares.iowait_ratio), (0.25, 0.0));
    }

    #[test]
    fn counters_at_the_end_of_their_range_are_read() {
        let (before, _) = parse(&stat(0, 0, 0)).unwrap();
        let (now, cpus) = parse(&stat(u64::MAX, u64::MAX, 0)).unwrap();
        let shares = shares(before, now, cpus, Duration::from_secs(10)).unwrap();
        assert_eq!(cpus, 2);
        assert!((shares.user_ratio - 0.5).abs() < 0.01, "{shares:?}");
    }

    #[test]
    fn a_machine_that_stood_still_counted_less_than_the_time_that_passed() {
        let (before, cpus) = parse(&stat(100, 1000, 50)).unwrap();
        let counted = |idle: u64| {
            let (now, _) = parse(&stat(100, idle, 50)).unwrap();
            let shares = shares(before, now, cpus, Duration::from_secs(10));
            shares.unwrap().counted_ratio
        };
        assert_eq!(counted(3000), Some(1.0));
        assert_eq!(counted(1500), Some(0.25));
    }

    #[test]
    fn no_time_passed_is_no_share() {
        let (times, _) = parse(&stat(1, 2, 3)).unwrap();
        assert!(shares(times, times, 2, Duration::ZERO).is_none());
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        assert!(parse("").is_err());
        assert!(parse("cpu  a b\n").is_err());
    }
}
