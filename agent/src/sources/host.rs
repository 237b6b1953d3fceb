//! The host's files under /proc and /sys, read one after the other: each answers at once or not at all.

use std::{path::PathBuf, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Sample, Source};

use super::{
    Reading,
    cpu::CpuMeter,
    disk::DiskMeter,
    kubelet_process::KubeletMeter,
    load,
    memory::MemoryMeter,
    pressure,
    sampler::{note, note_partial},
    slot::Timed,
};
use crate::config::Config;

/// The sources that are files of the host.
#[derive(Debug)]
pub(super) struct HostFiles {
    proc_root: PathBuf,
    sys_root: PathBuf,
    cpu: CpuMeter,
    memory: MemoryMeter,
    disk: DiskMeter,
    kubelet: KubeletMeter,
}

impl HostFiles {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            proc_root: config.proc_root.clone(),
            sys_root: config.sys_root.clone(),
            cpu: CpuMeter::default(),
            memory: MemoryMeter::default(),
            disk: DiskMeter::default(),
            kubelet: KubeletMeter::new(config.kubelet_process.clone()),
        }
    }

    /// Reads every source into the sample.
    pub(super) fn read(&mut self, clock: &Clock, sample: &mut Sample) {
        let (proc_root, sys_root) = (&self.proc_root, &self.sys_root);
        sample.load = note(
            sample,
            Source::Load,
            timed(clock, |_| load::read(proc_root)),
        );
        let cpu = note(
            sample,
            Source::Cpu,
            timed(clock, |now| self.cpu.read(proc_root, now)),
        );
        if let Some(cpu) = cpu {
            if let Some(load) = &mut sample.load {
                load.cpus = Some(cpu.cpus);
            }
            sample.cpu = cpu.shares;
        }
        let pressure = timed(clock, |_| pressure::read(proc_root));
        let pressure = note_partial(sample, Source::Pressure, pressure, |(_, whole)| {
            whole.clone()
        });
        sample.pressure = pressure.map(|(pressure, _)| pressure);
        sample.memory = note(
            sample,
            Source::Memory,
            timed(clock, |now| self.memory.read(proc_root, now)),
        );
        let disks = timed(clock, |now| self.disk.read(proc_root, sys_root, now));
        sample.disks = note(sample, Source::Disk, disks).unwrap_or_default();
        let kubelet = timed(clock, |now| self.kubelet.read(proc_root, now));
        sample.kubelet_process = note(sample, Source::KubeletProcess, kubelet);
    }
}

/// Reads a source and takes the time.
fn timed<T>(clock: &Clock, read: impl FnOnce(Duration) -> Reading<T>) -> Timed<T> {
    let start = clock.now();
    let reading = read(start);
    Timed {
        reading,
        took: Some(clock.now().saturating_sub(start)),
    }
}

#[cfg(test)]
mod tests {
    use nodegrace_proto::v1::Outcome;

    use super::*;

    #[test]
    fn a_root_without_files_reports_every_source_and_fails_at_none() {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::new("a");
        config.proc_root = root.path().into();
        let mut sample = Sample::default();
        HostFiles::new(&config).read(&Clock::real(), &mut sample);
        assert_eq!(sample.sources.len(), 6);
        assert!(
            sample
                .sources
                .iter()
                .all(|report| report.outcome() == Outcome::Absent && !report.reason.is_empty())
        );
    }

    #[test]
    fn one_broken_file_hides_no_other_source() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("loadavg"), "nonsense").unwrap();
        std::fs::write(
            root.path().join("meminfo"),
            include_str!("../../tests/captured/proc/meminfo"),
        )
        .unwrap();
        let mut config = Config::new("a");
        config.proc_root = root.path().into();
        let mut sample = Sample::default();
        HostFiles::new(&config).read(&Clock::real(), &mut sample);
        assert_eq!(sample.sources[0].outcome(), Outcome::Error);
        assert!(sample.load.is_none() && sample.memory.is_some());
    }

    #[test]
    fn a_broken_part_of_a_source_is_told_and_hides_no_other_part() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("pressure")).unwrap();
        std::fs::write(root.path().join("pressure/cpu"), "nonsense").unwrap();
        std::fs::write(
            root.path().join("pressure/io"),
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
        )
        .unwrap();
        let mut config = Config::new("a");
        config.proc_root = root.path().into();
        let mut sample = Sample::default();
        HostFiles::new(&config).read(&Clock::real(), &mut sample);
        let mut reports = sample.sources.iter();
        let report = reports.find(|report| report.source() == Source::Pressure);
        assert_eq!(report.unwrap().outcome(), Outcome::Error);
        assert!(
            sample
                .pressure
                .is_some_and(|pressure| pressure.io.is_some())
        );
    }

    #[test]
    fn this_machines_own_files_are_read() {
        let mut files = HostFiles::new(&Config::new("a"));
        files.read(&Clock::real(), &mut Sample::default());
        let mut sample = Sample::default();
        files.read(&Clock::real(), &mut sample);
        let load = sample.load.expect("every Linux has /proc/loadavg");
        assert!(load.cpus.is_some_and(|cpus| cpus > 0));
        assert!(sample.memory.is_some_and(|memory| memory.total_bytes > 0));
    }
}
