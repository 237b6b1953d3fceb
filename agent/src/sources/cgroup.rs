//! Control groups under /sys/fs/cgroup, version 1 and 2: where a process is, and what holds back its processor time there.

use std::{
    iter,
    path::{Path, PathBuf},
};

use super::{Missing, Reading, read_file};

/// Most groups above one another that are looked at. A kubelet's is two deep, or some more where the node is itself a container.
const DEEPEST: usize = 16;

/// The control group that a process is in, in the hierarchy that limits processor time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) version: Version,
    /// Where the hierarchy is mounted.
    root: PathBuf,
    /// The group's path under that, with a leading slash.
    pub(super) path: String,
}

/// Version of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// Quota and throttling of one group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quota {
    /// The group that has it.
    pub(super) group: PathBuf,
    /// Processors that it allows.
    pub(super) cores: f64,
    /// Periods in which the group ran, since it exists.
    pub(super) periods: u64,
    /// Those in which it ran out of its quota.
    pub(super) throttled_periods: u64,
    /// Time its tasks were held back, over all processors, in nanoseconds.
    pub(super) throttled: u64,
}

impl Group {
    /// The group of the process `pid`.
    ///
    /// On hosts with both versions, the hierarchy that has the `cpu` controller counts.
    pub(super) fn of(proc_root: &Path, sys_root: &Path, pid: u32) -> Reading<Self> {
        let file = proc_root.join(pid.to_string()).join("cgroup");
        let text = read_file(&file)?;
        let mounts = sys_root.join("fs/cgroup");
        let group = text
            .lines()
            .find_map(|line| Self::v1(&mounts, line))
            .or_else(|| text.lines().find_map(|line| Self::v2(&mounts, line)))
            .ok_or_else(|| {
                Missing::Failed(format!("{}: names no control group", file.display()))
            })?;
        let directory = group.directory();
        if !directory.is_dir() {
            // Seen from a container of its own, whose /sys shows no other.
            return Err(Missing::Absent(format!(
                "{}: not seen from here",
                directory.display()
            )));
        }
        Ok(group)
    }

    /// Its directory.
    pub(super) fn directory(&self) -> PathBuf {
        self.root.join(self.path.trim_start_matches('/'))
    }

    /// The quotas of the group and of all above it: a group runs out of the tightest.
    pub(super) fn quotas(&self) -> Reading<Vec<Quota>> {
        let own = self.directory();
        let up = iter::successors(Some(own.as_path()), |group| group.parent());
        up.take_while(|group| group.starts_with(&self.root))
            .take(DEEPEST)
            .filter_map(|group| self.quota(group).transpose())
            .collect()
    }

    /// The quota of one group. `None`: it has none.
    fn quota(&self, group: &Path) -> Reading<Option<Quota>> {
        let limit = match self.version {
            Version::V1 => v1_limit(group),
            Version::V2 => v2_limit(group),
        };
        let cores = match limit {
            Ok(Some(cores)) => cores,
            // The root of a hierarchy has no limit, nor has a group without the controller.
            Ok(None) | Err(Missing::Absent(_)) => return Ok(None),
            Err(failed) => return Err(failed),
        };
        let stat = read_file(&group.join("cpu.stat"))?;
        let counter = |name| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|count| count.trim().parse::<u64>().ok())
                .ok_or_else(|| unreadable(&group.join("cpu.stat"), &stat))
        };
        Ok(Some(Quota {
            group: group.to_owned(),
            cores,
            periods: counter("nr_periods ")?,
            throttled_periods: counter("nr_throttled ")?,
            throttled: match self.version {
                Version::V1 => counter("throttled_time ")?,
                Version::V2 => counter("throttled_usec ")?.saturating_mul(1000),
            },
        }))
    }

    /// Reads a line such as `4:cpu,cpuacct:/system.slice`.
    fn v1(mounts: &Path, line: &str) -> Option<Self> {
        let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
        if !controllers.split(',').any(|one| one == "cpu") {
            return None;
        }
        // The mount has the controllers' names, and nearly always one link for each as well.
        let roots = [controllers, "cpu"].map(|name| mounts.join(name));
        let root = roots.iter().find(|root| root.is_dir());
        Some(Self {
            version: Version::V1,
            root: root.unwrap_or(&roots[0]).clone(),
            path: seen_from_root(path),
        })
    }

    /// Reads the line `0::/system.slice`.
    fn v2(mounts: &Path, line: &str) -> Option<Self> {
        let path = line.strip_prefix("0::")?;
        let unified = mounts.join("unified");
        Some(Self {
            version: Version::V2,
            root: if unified.is_dir() {
                unified
            } else {
                mounts.to_owned()
            },
            path: seen_from_root(path),
        })
    }
}

/// A group's path as its host sees it. In a container, the kernel writes it from the container's own group on, with as many
/// `..` as that is deep.
fn seen_from_root(path: &str) -> String {
    let mut path = path;
    while let Some(rest) = path.strip_prefix("/..") {
        path = rest;
    }
    if path.is_empty() {
        "/".to_owned()
    } else {
        path.to_owned()
    }
}

/// `cpu.max` has the quota, or `max`, and the period.
fn v2_limit(group: &Path) -> Reading<Option<f64>> {
    let file = group.join("cpu.max");
    let text = read_file(&file)?;
    let mut words = text.split_whitespace();
    let (quota, period) = (words.next(), words.next());
    if quota == Some("max") {
        return Ok(None);
    }
    cores(quota, period)
        .map(Some)
        .ok_or_else(|| unreadable(&file, &text))
}

/// Two files have the quota, less than zero for none, and the period.
fn v1_limit(group: &Path) -> Reading<Option<f64>> {
    let file = group.join("cpu.cfs_quota_us");
    let quota = read_file(&file)?;
    if quota.starts_with('-') {
        return Ok(None);
    }
    let period = read_file(&group.join("cpu.cfs_period_us"))?;
    cores(Some(quota.trim()), Some(period.trim()))
        .map(Some)
        .ok_or_else(|| unreadable(&file, &quota))
}

fn cores(quota: Option<&str>, period: Option<&str>) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota?.parse().ok()?, period?.parse().ok()?);
    (quota >= 0.0 && period > 0.0).then(|| quota / period)
}

fn unreadable(file: &Path, text: &str) -> Missing {
    let line = text.lines().next().unwrap_or_default();
    Missing::Failed(format!("{}: cannot read {line:?}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tests() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
    }

    fn group(root: &Path) -> Reading<Group> {
        Group::of(&root.join("proc"), &root.join("sys"), 42)
    }

    /// A host whose process 42 has this /proc/42/cgroup, and these groups.
    fn host(lines: &str, groups: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/42")).unwrap();
        fs::write(root.path().join("proc/42/cgroup"), lines).unwrap();
        for group in groups {
            fs::create_dir_all(root.path().join("sys/fs/cgroup").join(group)).unwrap();
        }
        root
    }

    #[test]
    fn a_captured_host_of_version_1_has_a_quota_at_two_levels() {
        let group = group(&tests().join("captured/cgroup-v1")).unwrap();
        assert_eq!(
            (group.version, group.path.as_str()),
            (Version::V1, "/system.slice/kubelet.service")
        );
        let quotas = group.quotas().unwrap();
        let cores: Vec<_> = quotas.iter().map(|quota| quota.cores).collect();
        assert_eq!(cores, [0.2, 1.0]);
        let own = &quotas[0];
        assert_eq!(
            (own.periods, own.throttled_periods, own.throttled),
            (16, 14, 631_694_258)
        );
    }

    #[test]
    fn a_host_of_version_2_has_a_quota_where_it_is_not_max() {
        let group = group(&tests().join("written/cgroup-v2")).unwrap();
        assert_eq!(
            (group.version, group.path.as_str()),
            (Version::V2, "/system.slice/kubelet.service")
        );
        let quotas = group.quotas().unwrap();
        assert_eq!(quotas.len(), 1);
        assert_eq!(
            (quotas[0].cores, quotas[0].throttled),
            (0.5, 5_000_000_000),
            "microseconds there, nanoseconds here"
        );
    }

    #[test]
    fn on_a_host_of_both_versions_the_one_with_the_processors_counts() {
        let lines = "3:cpuset:/\n2:cpu,cpuacct:/system.slice\n0::/init.scope\n";
        let both = host(lines, &["cpu,cpuacct/system.slice", "unified/init.scope"]);
        let found = group(both.path()).unwrap();
        assert_eq!(found.version, Version::V1);
        assert!(found.directory().ends_with("cpu,cpuacct/system.slice"));

        let lines = "1:name=systemd:/init.scope\n0::/init.scope\n";
        let named = host(lines, &["unified/init.scope"]);
        let found = group(named.path()).unwrap();
        assert_eq!(found.version, Version::V2);
        assert!(found.directory().ends_with("unified/init.scope"));
    }

    #[test]
    fn a_path_that_leads_out_of_the_agents_own_group_is_the_hosts() {
        let lines = "0::/../../../system.slice/kubelet.service\n";
        let host = host(lines, &["system.slice/kubelet.service"]);
        let group = group(host.path()).unwrap();
        assert_eq!(group.path, "/system.slice/kubelet.service");
        assert_eq!(seen_from_root("/.."), "/");
    }

    #[test]
    fn a_group_that_the_agents_own_sys_does_not_show_is_absent() {
        let host = host("0::/../../system.slice/kubelet.service\n", &["init.scope"]);
        let Err(Missing::Absent(reason)) = group(host.path()) else {
            panic!("there is no such group");
        };
        assert!(reason.contains("system.slice/kubelet.service"), "{reason}");
    }

    #[test]
    fn the_root_has_no_quota() {
        let host = host("0::/\n", &["init.scope"]);
        assert_eq!(group(host.path()).unwrap().quotas(), Ok(Vec::new()));
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        let lines = "0::/a\n";
        for (max, stat) in [
            ("", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n"),
            (
                "x 100000\n",
                "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n",
            ),
            ("5 0\n", "nr_periods 1\nnr_throttled 1\nthrottled_usec 1\n"),
            ("5 100000\n", "nr_periods x\n"),
        ] {
            let host = host(lines, &["a"]);
            let directory = host.path().join("sys/fs/cgroup/a");
            fs::write(directory.join("cpu.max"), max).unwrap();
            fs::write(directory.join("cpu.stat"), stat).unwrap();
            let quotas = group(host.path()).unwrap().quotas();
            assert!(matches!(quotas, Err(Missing::Failed(_))), "{max:?}");
        }
        for lines in ["", "x", "0:"] {
            let host = host(lines, &[]);
            assert!(matches!(group(host.path()), Err(Missing::Failed(_))));
        }
    }
}
