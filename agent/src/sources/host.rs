//! The host's files under /proc and /sys, read one after the other: each answers at once or not at all.

use std::{path::PathBuf, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{Sample, Source};

use super::{
    Missing, Reading,
    cpu::CpuMeter,
    disk::DiskMeter,
    kubelet::Kubelet,
    kubelet_cgroup::CgroupMeter,
    kubelet_process::KubeletMeter,
    load,
    memory::MemoryMeter,
    network::NetworkMeter,
    pressure,
    sampler::{note, note_partial},
    slot::Timed,
};
use crate::config::Config;

/// The sources that are files of the host.
#[derive(Debug)]
pub struct HostFiles {
    proc_root: PathBuf,
    sys_root: PathBuf,
    kubelet: Kubelet,
    /// True once the kubelet's process was seen: then process 1 of this /proc is the node's own first one.
    sees_host: bool,
}

/// What one series of samples remembers of its last one, for the rates of the next.
#[derive(Debug, Default)]
pub(super) struct Meters {
    cpu: CpuMeter,
    memory: MemoryMeter,
    disk: DiskMeter,
    kubelet: KubeletMeter,
    cgroup: CgroupMeter,
    network: NetworkMeter,
}

impl HostFiles {
    /// The files under the roots of this configuration.
    pub fn new(config: &Config) -> Self {
        Self {
            proc_root: config.proc_root.clone(),
            sys_root: config.sys_root.clone(),
            kubelet: Kubelet::new(config.kubelet_process.clone()),
            sees_host: false,
        }
    }

    /// Reads every source into the sample, of the series that these meters belong to.
    pub(super) fn read(&mut self, meters: &mut Meters, clock: &Clock, sample: &mut Sample) {
        self.read_machine(meters, clock, sample);
        self.read_kubelet(meters, clock, sample);
        let (proc_root, sees_host) = (&self.proc_root, self.sees_host);
        let network = timed(clock, |now| meters.network.read(proc_root, sees_host, now));
        sample.network = note(sample, Source::Network, network).flatten();
    }

    fn read_machine(&self, meters: &mut Meters, clock: &Clock, sample: &mut Sample) {
        let (proc_root, sys_root) = (&self.proc_root, &self.sys_root);
        sample.load = note(
            sample,
            Source::Load,
            timed(clock, |_| load::read(proc_root)),
        );
        let cpu = note(
            sample,
            Source::Cpu,
            timed(clock, |now| meters.cpu.read(proc_root, now)),
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
            timed(clock, |now| meters.memory.read(proc_root, now)),
        );
        let disks = timed(clock, |now| meters.disk.read(proc_root, sys_root, now));
        sample.disks = note(sample, Source::Disk, disks).unwrap_or_default();
    }

    fn read_kubelet(&mut self, meters: &mut Meters, clock: &Clock, sample: &mut Sample) {
        let (proc_root, sys_root) = (&self.proc_root, &self.sys_root);
        let process = timed(clock, |now| {
            let seen = self.kubelet.read(proc_root)?;
            Ok(meters.kubelet.measure(&seen, now))
        });
        sample.kubelet_process = note(sample, Source::KubeletProcess, process);
        let pid = sample.kubelet_process.as_ref().map(|process| process.pid);
        self.sees_host |= pid.is_some();
        let cgroup = match pid {
            Some(pid) => timed(clock, |now| {
                meters.cgroup.read(proc_root, sys_root, pid, now)
            }),
            // Why there is none is said with the process.
            None => Timed {
                reading: Err(Missing::Absent("the kubelet's process is not known".into())),
                took: None,
                told_before: false,
            },
        };
        let cgroup = note_partial(sample, Source::KubeletCgroup, cgroup, |(_, whole)| {
            whole.clone()
        });
        sample.kubelet_cgroup = cgroup.map(|(cgroup, _)| cgroup);
    }
}

/// Reads a source and takes the time.
fn timed<T>(clock: &Clock, read: impl FnOnce(Duration) -> Reading<T>) -> Timed<T> {
    let start = clock.now();
    let reading = read(start);
    Timed {
        reading,
        took: Some(clock.now().saturating_sub(start)),
        told_before: false,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use nodegrace_proto::v1::{Outcome, SourceReport};

    use super::*;
    use crate::config::KubeletProcessName;

    /// Two samples of one series, of a host with its /proc and /sys under `root`.
    fn samples(root: &Path) -> [Sample; 2] {
        let mut config = Config::new("a");
        config.proc_root = root.into();
        config.sys_root = root.into();
        samples_as(&config)
    }

    fn samples_as(config: &Config) -> [Sample; 2] {
        let (mut files, mut meters) = (HostFiles::new(config), Meters::default());
        [(); 2].map(|()| {
            let mut sample = Sample::default();
            files.read(&mut meters, &Clock::real(), &mut sample);
            sample
        })
    }

    fn report(sample: &Sample, source: Source) -> &SourceReport {
        let mut reports = sample.sources.iter();
        reports.find(|report| report.source() == source).unwrap()
    }

    #[test]
    fn a_root_without_files_reports_every_source_and_fails_at_none() {
        let root = tempfile::tempdir().unwrap();
        let [_, sample] = samples(root.path());
        assert_eq!(sample.sources.len(), 8);
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
        fs::write(root.path().join("loadavg"), "nonsense").unwrap();
        let meminfo = include_str!("../../tests/captured/proc/meminfo");
        fs::write(root.path().join("meminfo"), meminfo).unwrap();
        let [sample, _] = samples(root.path());
        assert_eq!(report(&sample, Source::Load).outcome(), Outcome::Error);
        assert!(sample.load.is_none() && sample.memory.is_some());
    }

    #[test]
    fn a_broken_part_of_a_source_is_told_and_hides_no_other_part() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("pressure")).unwrap();
        fs::write(root.path().join("pressure/cpu"), "nonsense").unwrap();
        fs::write(
            root.path().join("pressure/io"),
            "some avg10=1.00 avg60=0.00 avg300=0.00 total=1\n",
        )
        .unwrap();
        let [sample, _] = samples(root.path());
        assert_eq!(report(&sample, Source::Pressure).outcome(), Outcome::Error);
        assert!(
            sample
                .pressure
                .is_some_and(|pressure| pressure.io.is_some())
        );
    }

    #[test]
    fn the_network_is_the_hosts_where_the_kubelets_process_is_seen() {
        let root = tempfile::tempdir().unwrap();
        for net in ["1/net", "net"] {
            fs::create_dir_all(root.path().join(net)).unwrap();
            let snmp = include_str!("../../tests/captured/proc/net/snmp");
            fs::write(root.path().join(net).join("snmp"), snmp).unwrap();
        }
        let host = |sample: &Sample| sample.network.map(|network| network.host);
        let [first, second] = samples(root.path());
        assert_eq!((host(&first), host(&second)), (None, Some(false)));

        fs::create_dir(root.path().join("42")).unwrap();
        fs::write(root.path().join("42/comm"), "kubelet\n").unwrap();
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        fs::write(root.path().join("42/stat"), stat).unwrap();
        let mut config = Config::new("a");
        config.proc_root = root.path().into();
        let own = fs::read_to_string("/proc/self/comm").unwrap();
        fs::write(root.path().join("42/comm"), &own).unwrap();
        config.kubelet_process = KubeletProcessName::Name(own.trim().into());
        let [_, second] = samples_as(&config);
        assert_eq!(host(&second), Some(true));
    }

    #[test]
    fn this_machines_own_files_are_read() {
        let pid_file = tempfile::NamedTempFile::new().unwrap();
        fs::write(pid_file.path(), std::process::id().to_string()).unwrap();
        let mut config = Config::new("a");
        config.kubelet_process = KubeletProcessName::PidFile(pid_file.path().into());
        let [_, sample] = samples_as(&config);
        let load = sample.load.expect("every Linux has /proc/loadavg");
        assert!(load.cpus.is_some_and(|cpus| cpus > 0));
        assert!(sample.memory.is_some_and(|memory| memory.total_bytes > 0));
        assert!(sample.network.is_some());
        let process = sample.kubelet_process.expect("this very process");
        assert!(process.threads > 1 && process.uninterruptible_threads.is_some());
        assert!(process.run_queue_wait_ratio.is_some());
        // Whether its group can be seen depends on where the tests run, but never is it unreadable.
        for report in &sample.sources {
            assert_ne!(report.outcome(), Outcome::Error, "{}", report.reason);
        }
    }
}
