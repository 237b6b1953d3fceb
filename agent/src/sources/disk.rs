//! /proc/diskstats: how busy the block devices were since the sample before.

use std::{collections::BTreeMap, path::Path, time::Duration};

use nodegrace_proto::v1::Disk;
use procfs::{DiskStat, DiskStats, FromBufRead as _};

use super::{Reading, read_file, unreadable};
use crate::wire;

/// Most devices in a sample, the busiest first.
const MOST_DISKS: usize = 8;
/// Bytes of a sector in diskstats, whatever the device's own sectors are (Documentation/admin-guide/iostats.rst).
const SECTOR: f64 = 512.0;

/// Remembers the counters of the sample before.
#[derive(Debug, Default)]
pub(super) struct DiskMeter {
    before: Option<(Duration, BTreeMap<String, DiskStat>)>,
}

impl DiskMeter {
    pub(super) fn read(
        &mut self,
        proc_root: &Path,
        sys_root: &Path,
        now: Duration,
    ) -> Reading<Vec<Disk>> {
        let stats = parse(&read_file(&proc_root.join("diskstats"))?)?;
        // A device that never did anything (unused loop and ram devices) never will be the busiest.
        let used = stats
            .into_iter()
            .filter(|stat| stat.reads > 0 || stat.writes > 0);
        let counters = whole_devices(used, sys_root);
        let Some((then, before)) = self.before.replace((now, counters)) else {
            return Ok(Vec::new());
        };
        let counters = self
            .before
            .as_ref()
            .map(|(_, counters)| counters)
            .into_iter()
            .flatten();
        let interval = now.saturating_sub(then).as_secs_f64();
        let mut disks: Vec<Disk> = counters
            .filter_map(|(name, stat)| figures(before.get(name)?, stat, interval))
            .collect();
        disks.sort_by(|a, b| b.busy_ratio.total_cmp(&a.busy_ratio));
        disks.truncate(MOST_DISKS);
        Ok(disks)
    }
}

fn parse(text: &str) -> Reading<Vec<DiskStat>> {
    Ok(DiskStats::from_buf_read(text.as_bytes())
        .map_err(unreadable("diskstats"))?
        .0)
}

/// Leaves partitions out: their requests are their device's. Where /sys does not tell them apart, all stay.
fn whole_devices(
    stats: impl Iterator<Item = DiskStat>,
    sys_root: &Path,
) -> BTreeMap<String, DiskStat> {
    let block = sys_root.join("block");
    let told = block.is_dir();
    stats
        .filter(|stat| !told || block.join(stat.name.replace('/', "!")).exists())
        .map(|stat| (stat.name.clone(), stat))
        .collect()
}

/// A device's figures over `interval` seconds. `None` when its counters went back: another device of the same name.
fn figures(before: &DiskStat, now: &DiskStat, interval: f64) -> Option<Disk> {
    if interval <= 0.0 {
        return None;
    }
    let since =
        |counter: fn(&DiskStat) -> u64| counter(now).checked_sub(counter(before)).map(|n| n as f64);
    let requests = since(|stat| stat.reads)? + since(|stat| stat.writes)?;
    let request_ms = since(|stat| stat.time_reading)? + since(|stat| stat.time_writing)?;
    Some(Disk {
        device: now.name.clone(),
        // Milliseconds in which requests were in flight; a little more than the interval may come out of rounding.
        busy_ratio: (since(|stat| stat.time_in_progress)? / 1000.0 / interval).min(1.0),
        // Milliseconds weighted with the number of requests in flight.
        mean_queue: since(|stat| stat.weighted_time_in_progress)? / 1000.0 / interval,
        mean_request_time: (requests > 0.0)
            .then(|| wire::duration(Duration::from_secs_f64(request_ms / requests / 1000.0))),
        read_bytes_per_second: since(|stat| stat.sectors_read)? * SECTOR / interval,
        written_bytes_per_second: since(|stat| stat.sectors_written)? * SECTOR / interval,
        in_flight: u32::try_from(now.in_progress).ok(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A line of diskstats: requests, sectors and milliseconds of reading and writing, and milliseconds busy and weighted.
    fn line(name: &str, reading: [u64; 3], writing: [u64; 3], busy: [u64; 2]) -> String {
        let ([r, rs, rt], [w, ws, wt], [b, q]) = (reading, writing, busy);
        format!(" 254 0 {name} {r} 0 {rs} {rt} {w} 0 {ws} {wt} 3 {b} {q} 0 0 0 0 0 0\n")
    }

    fn root(block: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for device in block {
            fs::create_dir_all(root.path().join("block").join(device)).unwrap();
        }
        root
    }

    fn sample(meter: &mut DiskMeter, root: &Path, text: &str, at: u64) -> Vec<Disk> {
        fs::write(root.join("diskstats"), text).unwrap();
        meter.read(root, root, Duration::from_secs(at)).unwrap()
    }

    #[test]
    fn figures_are_those_of_the_time_between_two_samples() {
        let (root, mut meter) = (root(&["vda"]), DiskMeter::default());
        let first = line("vda", [100, 1000, 500], [100, 1000, 500], [5000, 9000]);
        assert!(sample(&mut meter, root.path(), &first, 0).is_empty());
        let second = line("vda", [150, 3000, 600], [150, 5000, 1400], [10_000, 29_000]);
        let disks = sample(&mut meter, root.path(), &second, 10);
        assert_eq!(disks.len(), 1);
        assert_eq!((disks[0].busy_ratio, disks[0].mean_queue), (0.5, 2.0));
        assert_eq!(disks[0].in_flight, Some(3));
        assert_eq!(disks[0].mean_request_time.unwrap().nanos, 10_000_000);
        assert_eq!(
            (
                disks[0].read_bytes_per_second,
                disks[0].written_bytes_per_second
            ),
            (102_400.0, 204_800.0)
        );
    }

    #[test]
    fn counters_at_the_end_of_their_range_are_read() {
        let (root, mut meter) = (root(&["vda"]), DiskMeter::default());
        let text = |counter: u64| line("vda", [counter; 3], [counter; 3], [counter; 2]);
        sample(&mut meter, root.path(), &text(1), 0);
        let disks = sample(&mut meter, root.path(), &text(u64::MAX), 10);
        assert!((disks[0].busy_ratio - 1.0).abs() < f64::EPSILON);
        assert!(disks[0].read_bytes_per_second.is_finite());
    }

    #[test]
    fn partitions_and_idle_devices_are_left_out_and_the_busiest_comes_first() {
        let (root, mut meter) = (root(&["sda", "sdb", "loop0"]), DiskMeter::default());
        let text = |a: u64, b: u64| {
            [
                line("loop0", [0; 3], [0; 3], [0; 2]),
                line("sda", [1; 3], [1; 3], [a; 2]),
                line("sda1", [1; 3], [1; 3], [a; 2]),
                line("sdb", [1; 3], [1; 3], [b; 2]),
            ]
            .concat()
        };
        sample(&mut meter, root.path(), &text(0, 0), 0);
        let disks = sample(&mut meter, root.path(), &text(10, 20), 10);
        let names: Vec<_> = disks.iter().map(|disk| disk.device.as_str()).collect();
        assert_eq!(names, ["sdb", "sda"]);
        assert_eq!(disks[0].mean_request_time, None);
    }

    #[test]
    fn without_sys_every_device_stays() {
        let (root, mut meter) = (root(&[]), DiskMeter::default());
        let text = line("vda1", [1; 3], [1; 3], [1; 2]);
        sample(&mut meter, root.path(), &text, 0);
        assert_eq!(sample(&mut meter, root.path(), &text, 10).len(), 1);
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        assert!(parse("254 0 vda 1 2").is_err());
    }
}
