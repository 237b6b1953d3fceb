//! /proc/meminfo and /proc/vmstat: memory, swap, and how fast pages are faulted in from disk.

use std::{path::Path, time::Duration};

use nodegrace_proto::v1::Memory;
use procfs::{FromBufRead as _, Meminfo};

use super::{Reading, rate, read_file, unreadable};

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
    let info = Meminfo::from_buf_read(text.as_bytes()).map_err(unreadable("meminfo"))?;
    Ok(Memory {
        total_bytes: info.mem_total,
        available_bytes: info.mem_available,
        swap_total_bytes: info.swap_total,
        swap_free_bytes: info.swap_free,
        major_faults_per_second: None,
        ..Default::default()
    })
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
