//! Control groups under /sys/fs/cgroup, version 1 and 2: where a process is, and what holds back its processor time there.

mod quota;
#[cfg(test)]
mod tests;

use std::{
    iter,
    path::{Path, PathBuf},
};

pub(super) use self::quota::Quota;
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
            .filter_map(|group| Quota::of(group, self.version).transpose())
            .collect()
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
