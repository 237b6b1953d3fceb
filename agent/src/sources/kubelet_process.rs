//! Figures of the kubelet's process: whether it gets the processor and the memory it needs.

use std::time::Duration;

use nodegrace_proto::v1::KubeletProcess;

use super::{kubelet::Seen, rate};
use crate::wire;

/// Remembers which process it was and its counters.
#[derive(Debug)]
pub(super) struct KubeletMeter {
    before: Option<Counters>,
    ticks_per_second: u64,
    page_size: u64,
}

/// Counters of one process at one moment.
#[derive(Clone, Copy, Debug)]
struct Counters {
    at: Duration,
    pid: u32,
    /// Start of the process in ticks since boot: with its pid its identity.
    start: u64,
    /// Processor time in ticks.
    cpu: u64,
    major_faults: u64,
    /// Time its threads waited on run queues, in nanoseconds. `None` where the kernel does not say.
    run_queue_wait: Option<u64>,
}

impl Default for KubeletMeter {
    fn default() -> Self {
        Self {
            before: None,
            ticks_per_second: procfs::ticks_per_second().max(1),
            page_size: procfs::page_size(),
        }
    }
}

impl KubeletMeter {
    /// The figures of the process as it was seen at `now`.
    pub(super) fn measure(&mut self, seen: &Seen, now: Duration) -> KubeletProcess {
        let Seen { pid, stat, .. } = seen;
        let counters = Counters {
            at: now,
            pid: *pid,
            start: stat.starttime,
            cpu: stat.utime.saturating_add(stat.stime),
            major_faults: stat.majflt,
            run_queue_wait: seen.run_queue_wait,
        };
        let before = self.before.replace(counters);
        let mut process = KubeletProcess {
            pid: *pid,
            start_monotonic: Some(wire::duration(Duration::from_secs_f64(
                stat.starttime as f64 / self.ticks_per_second as f64,
            ))),
            state: stat.state.to_string(),
            threads: u32::try_from(stat.num_threads).unwrap_or(0),
            resident_bytes: stat.rss.saturating_mul(self.page_size),
            program: seen.program.clone(),
            uninterruptible_threads: seen.uninterruptible_threads,
            ..KubeletProcess::default()
        };
        if let Some(before) =
            before.filter(|before| (before.pid, before.start) == (*pid, counters.start))
        {
            self.rates(before, counters, &mut process);
        }
        process
    }

    fn rates(&self, before: Counters, now: Counters, process: &mut KubeletProcess) {
        let seconds = now.at.saturating_sub(before.at).as_secs_f64();
        process.cpu_cores =
            rate(before.cpu, now.cpu, seconds).map(|ticks| ticks / self.ticks_per_second as f64);
        process.major_faults_per_second = rate(before.major_faults, now.major_faults, seconds);
        process.run_queue_wait_ratio = before
            .run_queue_wait
            .zip(now.run_queue_wait)
            .and_then(|(before, now)| rate(before, now, seconds))
            .map(|nanos| nanos / 1e9);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::{
        config::KubeletProcessName,
        sources::{Missing, Reading, kubelet::Kubelet},
    };

    /// A /proc with one process, whose counters grow with `age` in seconds: half a core, one waiting thread, 2 faults/s.
    fn write_process(root: &Path, pid: u32, comm: &str, start: u64, age: u64) {
        let directory = root.join(pid.to_string());
        let task = directory.join("task").join(pid.to_string());
        fs::create_dir_all(&task).unwrap();
        fs::write(directory.join("comm"), format!("{comm}\n")).unwrap();
        fs::write(
            directory.join("cmdline"),
            format!("/usr/bin/{comm}\0--config\0x"),
        )
        .unwrap();
        let (faults, user) = (2 * age, 50 * age);
        let line = format!(
            "{pid} ({comm}) S 1 1 1 0 -1 4194560 10 0 {faults} 0 {user} 0 0 0 20 0 17 0 {start} 1000000 2500 \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        fs::write(directory.join("stat"), &line).unwrap();
        fs::write(task.join("stat"), &line).unwrap();
        fs::write(
            task.join("schedstat"),
            format!("5 {} 9\n", age * 1_000_000_000),
        )
        .unwrap();
    }

    /// One series of figures of a kubelet.
    struct Series {
        root: tempfile::TempDir,
        kubelet: Kubelet,
        meter: KubeletMeter,
    }

    impl Series {
        fn of(name: KubeletProcessName) -> Self {
            Self {
                root: tempfile::tempdir().unwrap(),
                kubelet: Kubelet::new(name),
                meter: KubeletMeter::default(),
            }
        }

        fn read(&mut self, at: u64) -> Reading<KubeletProcess> {
            let seen = self.kubelet.read(self.root.path())?;
            Ok(self.meter.measure(&seen, Duration::from_secs(at)))
        }
    }

    #[test]
    fn the_kubelet_is_found_by_name_and_its_rates_come_with_the_second_sample() {
        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 7, "sshd", 100, 0);
        write_process(series.root.path(), 42, "kubelet", 30_000, 10);
        let first = series.read(1000).unwrap();
        assert_eq!(
            (first.pid, first.state.as_str(), first.threads),
            (42, "S", 17)
        );
        assert_eq!(first.start_monotonic.unwrap().seconds, 300);
        assert_eq!(first.uninterruptible_threads, Some(0));
        assert_eq!(first.cpu_cores, None);
        write_process(series.root.path(), 42, "kubelet", 30_000, 20);
        let second = series.read(1010).unwrap();
        assert_eq!(second.cpu_cores, Some(0.5));
        assert_eq!(second.run_queue_wait_ratio, Some(1.0));
        assert_eq!(second.major_faults_per_second, Some(2.0));
    }

    #[test]
    fn a_restarted_kubelet_is_found_again_and_has_no_rates_yet() {
        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 42, "kubelet", 30_000, 10);
        series.read(1000).unwrap();
        fs::remove_dir_all(series.root.path().join("42")).unwrap();
        assert!(matches!(series.read(1010), Err(Missing::Absent(_))));
        write_process(series.root.path(), 43, "kubelet", 101_500, 1);
        let again = series.read(1020).unwrap();
        assert_eq!((again.pid, again.cpu_cores), (43, None));
    }

    #[test]
    fn another_process_under_the_old_id_is_not_taken_for_the_kubelet() {
        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 42, "kubelet", 30_000, 10);
        series.read(1000).unwrap();
        write_process(series.root.path(), 42, "sshd", 101_500, 1);
        write_process(series.root.path(), 43, "kubelet", 101_600, 1);
        assert_eq!(series.read(1010).unwrap().pid, 43);
    }

    #[test]
    fn a_kubelet_of_its_own_comes_before_a_program_that_may_hold_one() {
        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 7, "k3s-server", 100, 0);
        let held = series.read(1000).unwrap();
        assert_eq!((held.pid, held.program.as_str()), (7, "k3s-server"));

        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 7, "k3s-server", 100, 0);
        write_process(series.root.path(), 42, "kubelet", 30_000, 10);
        let own = series.read(1000).unwrap();
        assert_eq!((own.pid, own.program.as_str()), (42, "kubelet"));
    }

    #[test]
    fn a_name_that_was_given_is_the_only_one() {
        let mut series = Series::of(KubeletProcessName::Name("my-kubelet".into()));
        write_process(series.root.path(), 42, "kubelet", 30_000, 10);
        assert!(matches!(series.read(1000), Err(Missing::Absent(_))));
        write_process(series.root.path(), 43, "my-kubelet", 30_000, 10);
        assert_eq!(series.read(1010).unwrap().pid, 43);
    }

    #[test]
    fn counters_at_the_end_of_their_range_are_read() {
        let mut series = Series::of(KubeletProcessName::Known);
        write_process(series.root.path(), 42, "kubelet", 1, 1);
        let most = u64::MAX;
        let process = series.root.path().join("42");
        let text = format!(
            "42 (kubelet) S 1 1 1 0 -1 4194560 10 0 {most} 0 {most} {most} 0 0 20 0 17 0 {most} 1000000 {most} \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        fs::write(process.join("stat"), text).unwrap();
        for thread in ["42", "43"] {
            let task = process.join("task").join(thread);
            fs::create_dir_all(&task).unwrap();
            fs::write(task.join("schedstat"), "5 0 9\n").unwrap();
        }
        series.read(1000).unwrap();
        for thread in ["42", "43"] {
            let waited = format!("5 {most} 9\n");
            fs::write(process.join("task").join(thread).join("schedstat"), waited).unwrap();
        }
        assert_eq!(series.read(1010).unwrap().resident_bytes, most);
    }

    #[test]
    fn the_kubelet_is_found_by_its_pid_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut series = Series::of(KubeletProcessName::PidFile(file.path().into()));
        write_process(series.root.path(), 42, "k3s", 1, 1);
        fs::write(file.path(), "42\n").unwrap();
        let found = series.read(0).unwrap();
        assert_eq!((found.pid, found.program.as_str()), (42, "k3s"));
        fs::write(file.path(), "nonsense").unwrap();
        assert!(matches!(series.read(10), Err(Missing::Failed(_))));
        fs::remove_file(file.path()).unwrap();
        assert!(matches!(series.read(20), Err(Missing::Absent(_))));
    }
}
