//! The control group of the kubelet's process: whether it was held back by a quota, and the pressure within the group.

use std::{path::Path, time::Duration};

use nodegrace_proto::v1::KubeletCgroup;

use super::{
    Missing, Reading,
    cgroup::{Group, Quota, Version},
    pressure, rate,
};

/// Remembers the quotas of the sample before.
#[derive(Debug, Default)]
pub(super) struct CgroupMeter {
    before: Option<(Duration, Vec<Quota>)>,
}

impl CgroupMeter {
    /// Reads the group of the kubelet's process, and whether all went well that the kernel reports.
    pub(super) fn read(
        &mut self,
        proc_root: &Path,
        sys_root: &Path,
        pid: u32,
        now: Duration,
    ) -> Reading<(KubeletCgroup, Reading<()>)> {
        let group = Group::of(proc_root, sys_root, pid)?;
        let quotas = group.quotas();
        let mut cgroup = KubeletCgroup {
            version: match group.version {
                Version::V1 => 1,
                Version::V2 => 2,
            },
            path: group.path.clone(),
            ..KubeletCgroup::default()
        };
        let mut whole = Ok(());
        if group.version == Version::V2 {
            match pressure::read_group(&group.directory()) {
                Ok((pressure, all)) => {
                    cgroup.pressure = Some(pressure);
                    whole = all;
                }
                Err(failed @ (Missing::Failed(_) | Missing::Unanswered(..))) => whole = Err(failed),
                // A kernel without pressure information says so once, for the host.
                Err(Missing::Absent(_)) => {}
            }
        }
        match quotas {
            Ok(quotas) => {
                cgroup.cpu_limit_cores = quotas
                    .iter()
                    .map(|quota| quota.cores)
                    .min_by(f64::total_cmp);
                if let Some((then, before)) = self.before.replace((now, quotas)) {
                    let seconds = now.saturating_sub(then).as_secs_f64();
                    self.throttling(&before, seconds, &mut cgroup);
                }
            }
            Err(missing) => {
                self.before = None;
                whole = Err(missing);
            }
        }
        Ok((cgroup, whole))
    }

    /// The throttling since `before`, of the group that was held back the most: the levels hold back the same tasks, so that
    /// their times do not add up.
    fn throttling(&self, before: &[Quota], seconds: f64, cgroup: &mut KubeletCgroup) {
        let now = self.before.iter().flat_map(|(_, quotas)| quotas);
        let worst = now
            .filter_map(|quota| {
                let earlier = before.iter().find(|one| one.group == quota.group)?;
                let ratio = rate(earlier.throttled, quota.throttled, seconds)? / 1e9;
                let periods = quota.periods.checked_sub(earlier.periods)?;
                let throttled = quota
                    .throttled_periods
                    .checked_sub(earlier.throttled_periods)?;
                // No period passes while the group does not run.
                Some((ratio, throttled as f64 / periods.max(1) as f64))
            })
            .max_by(|one, other| one.0.total_cmp(&other.0));
        if let Some((ratio, periods_ratio)) = worst {
            cgroup.throttled_ratio = Some(ratio);
            cgroup.throttled_periods_ratio = Some(periods_ratio.min(1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CPU_STAT: &str = "nr_periods P\nnr_throttled N\nthrottled_usec T\n";

    /// A host of version 2 whose kubelet is process 42, and one series of its figures.
    struct Host {
        root: tempfile::TempDir,
        meter: CgroupMeter,
    }

    impl Host {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir_all(root.path().join("proc/42")).unwrap();
            fs::write(root.path().join("proc/42/cgroup"), "0::/a/b\n").unwrap();
            fs::create_dir_all(root.path().join("sys/fs/cgroup/a/b")).unwrap();
            let meter = CgroupMeter::default();
            Self { root, meter }
        }

        fn write(&self, file: &str, text: &str) {
            fs::write(self.root.path().join("sys/fs/cgroup").join(file), text).unwrap();
        }

        /// A group's quota, and how many of its periods were throttled for how many milliseconds in all.
        fn quota(&self, group: &str, max: &str, periods: u64, throttled: u64, milliseconds: u64) {
            self.write(&format!("{group}/cpu.max"), &format!("{max} 100000\n"));
            let stat = CPU_STAT
                .replace('P', &periods.to_string())
                .replace('N', &throttled.to_string())
                .replace('T', &(1000 * milliseconds).to_string());
            self.write(&format!("{group}/cpu.stat"), &stat);
        }

        fn read(&mut self, at: u64) -> (KubeletCgroup, Reading<()>) {
            let (proc_root, sys_root) =
                (self.root.path().join("proc"), self.root.path().join("sys"));
            self.meter
                .read(&proc_root, &sys_root, 42, Duration::from_secs(at))
                .unwrap()
        }
    }

    #[test]
    fn the_tightest_quota_and_the_level_that_was_held_back_most_are_told() {
        let mut host = Host::new();
        host.quota("a", "50000", 100, 0, 1000);
        host.quota("a/b", "200000", 100, 0, 0);
        let (first, _) = host.read(0);
        assert_eq!(first.path, "/a/b");
        assert_eq!(first.cpu_limit_cores, Some(0.5));
        assert_eq!(
            (first.throttled_ratio, first.throttled_periods_ratio),
            (None, None)
        );
        host.quota("a", "50000", 200, 80, 6000);
        host.quota("a/b", "200000", 200, 10, 100);
        let (second, whole) = host.read(10);
        assert_eq!(
            (second.throttled_ratio, second.throttled_periods_ratio),
            (Some(0.5), Some(0.8))
        );
        assert_eq!(whole, Ok(()));
    }

    #[test]
    fn a_group_without_a_quota_is_never_held_back() {
        let mut host = Host::new();
        host.quota("a/b", "max", 0, 0, 0);
        let _first = host.read(0);
        let (second, whole) = host.read(10);
        assert_eq!(
            (second.cpu_limit_cores, second.throttled_ratio),
            (None, None)
        );
        assert_eq!(whole, Ok(()));
    }

    #[test]
    fn a_quota_that_was_just_set_is_told_at_once_and_its_throttling_later() {
        let mut host = Host::new();
        let _first = host.read(0);
        host.quota("a/b", "10000", 5, 5, 400);
        let (just_set, _) = host.read(10);
        assert_eq!(
            (just_set.cpu_limit_cores, just_set.throttled_ratio),
            (Some(0.1), None)
        );
        host.quota("a/b", "10000", 105, 105, 9400);
        assert_eq!(host.read(20).0.throttled_ratio, Some(0.9));
    }

    #[test]
    fn pressure_within_the_group_is_told_and_what_is_broken_hides_nothing_else() {
        let mut host = Host::new();
        host.quota("a/b", "10000", 5, 5, 400);
        host.write(
            "a/b/io.pressure",
            "some avg10=50.00 avg60=0.00 avg300=0.00 total=1\n",
        );
        let (cgroup, whole) = host.read(0);
        let io = cgroup.pressure.unwrap().io.unwrap();
        assert_eq!((io.some_avg10_ratio, whole), (0.5, Ok(())));

        host.write("a/b/memory.pressure", "nonsense");
        let (cgroup, whole) = host.read(10);
        assert!(cgroup.pressure.is_some() && cgroup.cpu_limit_cores.is_some());
        assert!(matches!(whole, Err(Missing::Failed(_))));

        host.write("a/b/cpu.stat", "nonsense");
        let (cgroup, whole) = host.read(20);
        assert!(cgroup.pressure.is_some() && cgroup.throttled_ratio.is_none());
        assert!(matches!(whole, Err(Missing::Failed(reason)) if reason.contains("cpu.stat")));
    }

    #[test]
    fn a_kubelet_that_moved_to_another_group_is_measured_anew() {
        let mut host = Host::new();
        host.quota("a/b", "10000", 5, 5, 400);
        let _first = host.read(0);
        fs::create_dir(host.root.path().join("sys/fs/cgroup/c")).unwrap();
        fs::write(host.root.path().join("proc/42/cgroup"), "0::/c\n").unwrap();
        host.quota("c", "10000", 900, 900, 90_000);
        let (moved, _) = host.read(10);
        assert_eq!((moved.path.as_str(), moved.throttled_ratio), ("/c", None));
    }
}
