//! The files of a simulated host: a `/proc` in a directory, rewritten at the clock's pace.

mod counters;
mod render;

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kubelet::{Figures, NodeSpec};
use counters::{Counters, THREADS};

/// A simulated host's `/proc`.
#[derive(Debug)]
pub struct HostFiles {
    root: PathBuf,
    counters: Counters,
    pid: Option<u32>,
}

impl HostFiles {
    /// Creates the files of a host that booted at zero of the monotonic clock. `root` is the directory to use as `/proc`.
    pub fn create(root: &Path, spec: &NodeSpec, boot_id: &str, now: Duration) -> io::Result<Self> {
        fs::create_dir_all(root.join("pressure"))?;
        fs::create_dir_all(root.join("net"))?;
        fs::create_dir_all(root.join("sys/kernel/random"))?;
        fs::write(
            root.join("sys/kernel/random/boot_id"),
            format!("{boot_id}\n"),
        )?;
        fs::create_dir_all(root.join("sys/kernel"))?;
        fs::write(root.join("sys/kernel/ostype"), "Linux\n")?;
        fs::write(root.join("sys/kernel/osrelease"), "6.18.44-sim\n")?;
        // Any host has other processes; what looks for the kubelet must not take this one.
        process_dir(&root.join("1"), "systemd", "/sbin/init\0")?;
        replace(&root.join("1"), "stat", &render::other_stat(1, "systemd"))?;
        Ok(Self {
            root: root.to_owned(),
            counters: Counters::new(spec, now),
            pid: None,
        })
    }

    /// Lets the host live as `figures` say until `now`, and rewrites the files. Each file is replaced in one step, so that no
    /// reader meets half of one.
    pub fn advance(&mut self, now: Duration, figures: &Figures) -> io::Result<()> {
        self.counters.advance(now, figures);
        let counters = &self.counters;
        let root = &self.root;
        replace(root, "loadavg", &render::loadavg(counters, figures))?;
        replace(root, "stat", &render::stat(counters, figures))?;
        replace(root, "uptime", &render::uptime(counters))?;
        replace(root, "meminfo", &render::meminfo(counters, figures))?;
        replace(root, "vmstat", &render::vmstat(counters))?;
        replace(root, "diskstats", &render::diskstats(counters, figures))?;
        replace(&root.join("net"), "snmp", &render::snmp(counters))?;
        let pressure = root.join("pressure");
        replace(&pressure, "cpu", &render::pressure(&counters.cpu, None))?;
        replace(
            &pressure,
            "io",
            &render::pressure(&counters.io_some, Some(&counters.io_full)),
        )?;
        replace(
            &pressure,
            "memory",
            &render::pressure(&counters.memory_some, Some(&counters.memory_full)),
        )?;
        self.kubelet(figures)
    }

    /// The kubelet's own directory; another when it was restarted, none while it is gone.
    fn kubelet(&mut self, figures: &Figures) -> io::Result<()> {
        let pid = figures.kubelet.map(|process| process.pid);
        if let Some(old) = self.pid.filter(|old| Some(*old) != pid) {
            fs::remove_dir_all(self.root.join(old.to_string()))?;
        }
        let Some(process) = figures.kubelet else {
            self.pid = None;
            return Ok(());
        };
        let directory = self.root.join(process.pid.to_string());
        if self.pid != pid {
            process_dir(
                &directory,
                "kubelet",
                "/usr/bin/kubelet\0--config=/var/lib/kubelet/config.yaml\0",
            )?;
            fs::write(
                directory.join("cgroup"),
                "0::/system.slice/kubelet.service\n",
            )?;
            for thread in 0..THREADS {
                fs::create_dir_all(task(&directory, process.pid, thread))?;
            }
            self.pid = pid;
        }
        let counters = &self.counters;
        replace(
            &directory,
            "stat",
            &render::process_stat(counters, &process),
        )?;
        replace(&directory, "status", &render::process_status(&process))?;
        let share = render::schedstat(counters, THREADS);
        replace(&directory, "schedstat", &share)?;
        for thread in 0..THREADS {
            replace(&task(&directory, process.pid, thread), "schedstat", &share)?;
        }
        Ok(())
    }
}

fn task(directory: &Path, pid: u32, thread: u32) -> PathBuf {
    directory.join("task").join((pid + thread).to_string())
}

fn process_dir(directory: &Path, name: &str, command_line: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("comm"), format!("{name}\n"))?;
    fs::write(directory.join("cmdline"), command_line)
}

/// Replaces a file in one step.
fn replace(directory: &Path, name: &str, text: &str) -> io::Result<()> {
    let next = directory.join(".next");
    fs::write(&next, text)?;
    fs::rename(next, directory.join(name))
}
