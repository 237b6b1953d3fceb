//! Control groups of this machine that hold a process back.

use std::{fs, path::PathBuf};

use anyhow::Context as _;

/// Where the hierarchies are.
const MOUNTS: &str = "/sys/fs/cgroup";

/// A group of our own; when it is dropped its processes go back to the root, and it is removed.
pub(super) struct Group {
    hierarchy: PathBuf,
    directory: PathBuf,
    unified: bool,
}

impl Group {
    /// A group with the controller `controller` (`cpu` or `io`, which version 1 calls `blkio`), in whichever version of the
    /// hierarchy has it, with the process `pid` in it.
    pub(super) fn around(pid: u32, controller: &str) -> anyhow::Result<Self> {
        let name = format!("nodegrace-test-{pid}-{controller}");
        let old = if controller == "io" {
            "blkio"
        } else {
            controller
        };
        let old = PathBuf::from(MOUNTS).join(old);
        let unified = !old.is_dir();
        let hierarchy = if unified {
            let root = PathBuf::from(MOUNTS);
            fs::write(
                root.join("cgroup.subtree_control"),
                format!("+{controller}"),
            )
            .with_context(|| format!("no controller {controller} in {MOUNTS}"))?;
            root
        } else {
            old
        };
        let group = Self {
            directory: hierarchy.join(name),
            hierarchy,
            unified,
        };
        fs::create_dir(&group.directory)
            .with_context(|| format!("{}: needs root", group.directory.display()))?;
        group.write("cgroup.procs", &pid.to_string())?;
        Ok(group)
    }

    /// Lets its processes run for one thousandth of each second, all of them together; none: as they like.
    pub(super) fn throttle(&self, on: bool) -> anyhow::Result<()> {
        match (self.unified, on) {
            (true, true) => self.write("cpu.max", "1000 1000000"),
            (true, false) => self.write("cpu.max", "max 100000"),
            (false, true) => {
                self.write("cpu.cfs_period_us", "1000000")?;
                self.write("cpu.cfs_quota_us", "1000")
            }
            (false, false) => self.write("cpu.cfs_quota_us", "-1"),
        }
    }

    /// Lets the disk `device` (MAJOR:MINOR) take so many bytes a second from its processes; none: as many as they like.
    pub(super) fn limit_writes(&self, device: &str, bytes: Option<u64>) -> anyhow::Result<()> {
        if self.unified {
            let limit = bytes.map_or_else(|| "max".to_owned(), |bytes| bytes.to_string());
            self.write("io.max", &format!("{device} wbps={limit}"))
        } else {
            let limit = bytes.unwrap_or(0);
            self.write(
                "blkio.throttle.write_bps_device",
                &format!("{device} {limit}"),
            )
        }
    }

    fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let file = self.directory.join(file);
        fs::write(&file, text).with_context(|| format!("{text:?} to {}", file.display()))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let processes = fs::read_to_string(self.directory.join("cgroup.procs"));
        for process in processes.unwrap_or_default().lines() {
            // One that has just ended cannot be moved, and need not.
            let _ = fs::write(self.hierarchy.join("cgroup.procs"), process);
        }
        if let Err(error) = fs::remove_dir(&self.directory) {
            eprintln!("{} stays behind: {error}", self.directory.display());
        }
    }
}
