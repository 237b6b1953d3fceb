//! /proc/meminfo and /proc/vmstat: memory, swap, how fast pages are faulted in from disk, and what tasks did for want of
//! memory.

use std::{mem, path::Path, time::Duration};

use nodegrace_proto::v1::Memory;

use super::{Missing, Reading, rate, read_file};

/// Remembers the counters of the sample before.
#[derive(Debug, Default)]
pub(super) struct MemoryMeter {
    before: Option<(Duration, Counters)>,
}

/// Counters of vmstat since boot. `None` where the kernel does not say.
#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    major_faults: Option<u64>,
    /// Summed over the zones, which came and went with the kernel's versions.
    direct_reclaims: Option<u64>,
    /// Since Linux 4.13.
    oom_kills: Option<u64>,
}

impl MemoryMeter {
    pub(super) fn read(&mut self, proc_root: &Path, now: Duration) -> Reading<Memory> {
        let mut memory = parse(&read_file(&proc_root.join("meminfo"))?)?;
        // Where vmstat cannot be read, memory is known all the same.
        let counters = read_file(&proc_root.join("vmstat"))
            .ok()
            .map(|text| counters(&text));
        let before = mem::replace(&mut self.before, counters.map(|counters| (now, counters)));
        if let (Some((then, before)), Some(counters)) = (before, counters) {
            let seconds = now.saturating_sub(then).as_secs_f64();
            let rate = |counter: fn(&Counters) -> Option<u64>| {
                rate(counter(&before)?, counter(&counters)?, seconds)
            };
            memory.major_faults_per_second = rate(|counters| counters.major_faults);
            memory.direct_reclaims_per_second = rate(|counters| counters.direct_reclaims);
            memory.oom_kills = before
                .oom_kills
                .zip(counters.oom_kills)
                .and_then(|(before, now)| now.checked_sub(before));
        }
        Ok(memory)
    }
}

fn parse(text: &str) -> Reading<Memory> {
    let needed = |name| {
        let missing = || Missing::Failed(format!("meminfo: cannot read {name}"));
        kibibytes(text, name).ok_or_else(missing)
    };
    Ok(Memory {
        total_bytes: needed("MemTotal")?,
        available_bytes: kibibytes(text, "MemAvailable"),
        swap_total_bytes: needed("SwapTotal")?,
        swap_free_bytes: needed("SwapFree")?,
        ..Memory::default()
    })
}

/// One line of meminfo's fifty, in bytes. procfs wants a dozen others, too, which not every kernel or container has.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A few lines of vmstat's nearly two hundred.
fn counters(text: &str) -> Counters {
    let mut counters = Counters::default();
    for (name, count) in text.lines().filter_map(|line| line.split_once(' ')) {
        let counter = match name {
            "pgmajfault" => &mut counters.major_faults,
            "oom_kill" => &mut counters.oom_kills,
            _ if name.starts_with("allocstall") => &mut counters.direct_reclaims,
            _ => continue,
        };
        if let Ok(count) = count.trim().parse::<u64>() {
            *counter = Some(counter.unwrap_or(0).saturating_add(count));
        }
    }
    counters
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const MEMINFO: &str = include_str!("../../tests/captured/proc/meminfo");

    #[test]
    fn memory_is_read_in_bytes() {
        let memory = parse(MEMINFO).unwrap();
        assert_eq!(memory.total_bytes, 24_684_084 * 1024);
        assert!(
            memory
                .available_bytes
                .is_some_and(|available| available < memory.total_bytes)
        );
    }

    #[test]
    fn a_kernel_without_swap_or_an_estimate_of_what_is_available_is_read() {
        let memory = parse("MemTotal: 2 kB\nSwapTotal:       0 kB\nSwapFree: 0 kB\n").unwrap();
        assert_eq!((memory.total_bytes, memory.available_bytes), (2048, None));
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        let rest = "\nSwapTotal: 0 kB\nSwapFree: 0 kB\n";
        for total in [
            "",
            "MemTotal: 5\u{e9}",
            "MemTotal\u{e9} 5 kB",
            "MemTotal: 18446744073709551615 kB",
        ] {
            assert!(parse(&format!("{total}{rest}")).is_err(), "{total:?}");
        }
    }

    /// Two samples of a host, 10 s apart, with this vmstat.
    fn samples(before: &str, now: &str) -> [Memory; 2] {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("meminfo"), MEMINFO).unwrap();
        let mut meter = MemoryMeter::default();
        [(before, 0), (now, 10)].map(|(vmstat, at)| {
            fs::write(root.path().join("vmstat"), vmstat).unwrap();
            meter.read(root.path(), Duration::from_secs(at)).unwrap()
        })
    }

    #[test]
    fn counters_are_told_from_the_second_sample_on() {
        let [first, second] = samples(
            "pgfault 9\npgmajfault 100\nallocstall_dma 0\nallocstall_normal 5\nallocstall_movable 20\noom_kill 1\n",
            "pgfault 9\npgmajfault 150\nallocstall_dma 0\nallocstall_normal 10\nallocstall_movable 40\noom_kill 3\n",
        );
        assert_eq!(
            (first.major_faults_per_second, first.oom_kills),
            (None, None)
        );
        assert_eq!(second.major_faults_per_second, Some(5.0));
        assert_eq!(second.direct_reclaims_per_second, Some(2.5));
        assert_eq!(second.oom_kills, Some(2));
    }

    #[test]
    fn a_counter_that_goes_back_or_is_not_there_is_unknown() {
        let [_, second] = samples("pgmajfault 100\n", "pgmajfault 20\n");
        assert_eq!(second.major_faults_per_second, None);
        assert_eq!(
            (second.direct_reclaims_per_second, second.oom_kills),
            (None, None)
        );
    }

    #[test]
    fn an_older_kernel_counts_reclaims_in_one_line() {
        let [_, second] = samples("allocstall 100\n", "allocstall 130\n");
        assert_eq!(second.direct_reclaims_per_second, Some(3.0));
    }
}
