//! How much of the time tasks waited for a processor, IO or memory: /proc/pressure, and the same of one control group.

use std::{path::Path, time::Duration};

use nodegrace_proto::v1::{Pressure, PressureStall};
use procfs::{PressureRecord, parse_pressure_record};

use super::{Missing, Reading, hundredths, read_file, unreadable};
use crate::wire;

/// Reads the three resources, and whether all went well that the kernel reports. One that it does not report, or that fails,
/// leaves the others alone; when there is none, that is the reading.
pub(super) fn read(proc_root: &Path) -> Reading<(Pressure, Reading<()>)> {
    read_files(
        proc_root,
        ["pressure/cpu", "pressure/io", "pressure/memory"],
    )
}

/// As [`read`], of the control group of version 2 in `directory`.
pub(super) fn read_group(directory: &Path) -> Reading<(Pressure, Reading<()>)> {
    read_files(
        directory,
        ["cpu.pressure", "io.pressure", "memory.pressure"],
    )
}

fn read_files(root: &Path, files: [&str; 3]) -> Reading<(Pressure, Reading<()>)> {
    let resources = files.map(|file| parse(file, &read_file(&root.join(file))?));
    let failed = resources.iter().find_map(|resource| match resource {
        Err(failed @ Missing::Failed(_)) => Some(failed.clone()),
        _ => None,
    });
    let whole = failed.map_or(Ok(()), Err);
    if let [Err(missing), Err(_), Err(_)] = &resources {
        whole?;
        return Err(missing.clone());
    }
    let [cpu, io, memory] = resources.map(Result::ok);
    Ok((Pressure { cpu, io, memory }, whole))
}

/// procfs wants both lines; kernels before 5.13 have no `full` line for the processors.
fn parse(file: &str, text: &str) -> Reading<PressureStall> {
    let mut lines = text.lines();
    let some = record(file, lines.next().unwrap_or_default())?;
    let full = lines.next().map(|line| record(file, line)).transpose()?;
    Ok(PressureStall {
        some_avg10_ratio: ratio(file, some.avg10)?,
        some_avg60_ratio: ratio(file, some.avg60)?,
        some_total: Some(total(&some)),
        full_avg10_ratio: full
            .as_ref()
            .map(|full| ratio(file, full.avg10))
            .transpose()?,
        full_total: full.as_ref().map(total),
    })
}

fn record(file: &str, line: &str) -> Reading<PressureRecord> {
    // procfs cuts the name off without looking whether the line can be cut there.
    if line.get("some ".len()..).is_none() {
        return Err(Missing::Failed(format!("{file}: cannot read {line:?}")));
    }
    parse_pressure_record(line).map_err(unreadable(file))
}

/// The kernel writes per cent.
fn ratio(file: &str, percent: f32) -> Reading<f64> {
    Ok(hundredths(file, percent)? / 100.0)
}

/// The kernel writes microseconds.
fn total(record: &PressureRecord) -> nodegrace_proto::prost_types::Duration {
    wire::duration(Duration::from_micros(record.total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stalls_are_read_as_shares_and_durations() {
        let stall = parse("pressure/cpu",
            "some avg10=50.00 avg60=25.00 avg300=0.00 total=1500000\nfull avg10=12.50 avg60=0.00 avg300=0.00 total=7\n",
        )
        .unwrap();
        assert_eq!(
            (stall.some_avg10_ratio, stall.some_avg60_ratio),
            (0.5, 0.25)
        );
        assert_eq!(stall.some_total.unwrap().nanos, 500_000_000);
        assert_eq!(stall.full_avg10_ratio, Some(0.125));
    }

    #[test]
    fn an_older_kernel_has_no_full_line_for_processors() {
        let stall = parse(
            "pressure/cpu",
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
        )
        .unwrap();
        assert_eq!((stall.full_avg10_ratio, stall.full_total), (None, None));
    }

    #[test]
    fn one_missing_resource_leaves_the_others() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("pressure")).unwrap();
        std::fs::write(
            root.path().join("pressure/io"),
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
        )
        .unwrap();
        let (pressure, whole) = read(root.path()).unwrap();
        assert_eq!(whole, Ok(()));
        assert!(pressure.io.is_some() && pressure.cpu.is_none() && pressure.memory.is_none());
    }

    #[test]
    fn a_resource_that_fails_is_told_with_the_others_and_without_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(root.path().join("pressure").join(name), text).unwrap();
        };
        std::fs::create_dir(root.path().join("pressure")).unwrap();
        write("memory", "nonsense");
        let alone = read(root.path());
        assert!(
            matches!(&alone, Err(Missing::Failed(reason)) if reason.contains("pressure/memory")),
            "{alone:?}"
        );
        write("io", "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n");
        let (pressure, whole) = read(root.path()).unwrap();
        assert!(pressure.io.is_some() && pressure.memory.is_none());
        assert_eq!(whole, Err(alone.unwrap_err()));
    }

    #[test]
    fn a_kernel_without_pressure_information_is_absent() {
        let root = tempfile::tempdir().unwrap();
        assert!(matches!(read(root.path()), Err(Missing::Absent(_))));
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        for text in [
            "",
            "some",
            "some\u{e9}avg10=1 avg60=0 avg300=0 total=1",
            "some avg10=x avg60=0 avg300=0 total=1",
            "some avg10=NaN avg60=0 avg300=0 total=1",
            "some avg10=1 avg60=1e39 avg300=0 total=1",
        ] {
            assert!(parse("pressure/cpu", text).is_err(), "{text:?}");
        }
    }
}
