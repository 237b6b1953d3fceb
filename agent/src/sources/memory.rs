//! /proc/meminfo and /proc/vmstat: memory, swap, and how fast pages are faulted in from disk.

use std::{path::Path, time::Duration};

use nodegrace_proto::v1::Memory;

use super::{Missing, Reading, rate, read_file};

/// Remembers the counter of the sample before.
#[derive(Debug, Default)]
pub(super) struct MemoryMeter {
    before: Option<(Duration, u64)>,
}

impl MemoryMeter {
    pub(super) fn read(&mut self, proc_root: &Path, now: Duration) -> Reading<Memory> {
        let mut memory = parse(&read_file(&proc_root.join("meminfo"))?)?;
        // Where vmstat cannot be read, memory is known all the same.
        let faults = read_file(&proc_root.join("vmstat"))
            .ok()
            .and_then(|text| major_faults(&text));
        let before = std::mem::replace(&mut self.before, faults.map(|faults| (now, faults)));
        if let (Some((then, before)), Some(faults)) = (before, faults) {
            memory.major_faults_per_second =
                rate(before, faults, now.saturating_sub(then).as_secs_f64());
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
        major_faults_per_second: None,
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

/// One line of vmstat's nearly two hundred.
fn major_faults(text: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix("pgmajfault "))
        .and_then(|count| count.trim().parse().ok())
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

    #[test]
    fn faults_are_a_rate_from_the_second_sample_on() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("meminfo"), MEMINFO).unwrap();
        let mut meter = MemoryMeter::default();
        let mut sample = |faults: u64, at: u64| {
            fs::write(
                root.path().join("vmstat"),
                format!("pgfault 9\npgmajfault {faults}\n"),
            )
            .unwrap();
            meter
                .read(root.path(), Duration::from_secs(at))
                .unwrap()
                .major_faults_per_second
        };
        assert_eq!(sample(100, 0), None);
        assert_eq!(sample(150, 10), Some(5.0));
        assert_eq!(sample(20, 20), None);
    }
}
