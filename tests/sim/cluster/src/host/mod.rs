//! The files of a simulated host: a `/proc` and a `/sys` in directories, rewritten at the clock's pace.

mod counters;
mod render;

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kubelet::{Cgroup, Figures, Process, SimNode};
use counters::{Counters, THREADS};

/// The kubelet's control group.
const GROUP: &str = "/system.slice/kubelet.service";

/// A simulated host's `/proc` and `/sys`.
#[derive(Debug)]
pub struct HostFiles {
    root: PathBuf,
    /// The directory of the kubelet's control group, where that is seen.
    group: Option<PathBuf>,
    counters: Counters,
    pid: Option<u32>,
    /// The kubelet, its quota and the states of its threads as they were written last: they hardly ever change.
    written: Option<(Option<u32>, Option<f64>, Vec<char>)>,
}

impl HostFiles {
    /// Creates the files of a node's host as of its boot. The directories to use as `/proc` and `/sys` are there, and empty.
    pub fn create(proc_root: &Path, sys_root: &Path, node: &SimNode) -> io::Result<Self> {
        let root = proc_root;
        fs::create_dir_all(root.join("pressure"))?;
        fs::create_dir_all(root.join("1/net"))?;
        symlink("1/net", root.join("net"))?;
        fs::create_dir_all(root.join("sys/kernel/random"))?;
        fs::write(
            root.join("sys/kernel/random/boot_id"),
            node.boot_id() + "\n",
        )?;
        fs::write(root.join("sys/kernel/ostype"), "Linux\n")?;
        fs::write(root.join("sys/kernel/osrelease"), "6.18.44-sim\n")?;
        // The first process that is seen: the host's, or that of a container, which sees no others. It is not the kubelet.
        let sees_host = node.spec().agent_sees_host;
        let (name, command) = if sees_host {
            ("systemd", "/sbin/init\0")
        } else {
            ("nodegrace-agent", "/nodegrace-agent\0")
        };
        process_dir(&root.join("1"), name, command)?;
        replace(&root.join("1"), "stat", &render::other_stat(1, name))?;
        let (mounts, version) = (sys_root.join("fs/cgroup"), node.spec().cgroup_version);
        let group = sees_host.then(|| group_dir(&mounts, version)).transpose()?;
        Ok(Self {
            root: root.to_owned(),
            group,
            counters: Counters::new(node.spec(), node.machine_clock().now()),
            pid: None,
            written: None,
        })
    }

    /// Lets the host live as `figures` say until `now`, by its own clock, and rewrites the files. Each file is replaced in one
    /// step, so that no reader meets half of one.
    pub fn advance(&mut self, now: Duration, figures: &Figures) -> io::Result<()> {
        self.counters.advance(now, figures);
        if !figures.moves {
            return Ok(());
        }
        let counters = &self.counters;
        let root = &self.root;
        replace(root, "loadavg", &render::loadavg(counters, figures))?;
        replace(root, "stat", &render::stat(counters, figures))?;
        replace(root, "uptime", &render::uptime(counters))?;
        replace(root, "meminfo", &render::meminfo(counters, figures))?;
        replace(root, "vmstat", &render::vmstat(counters))?;
        replace(root, "diskstats", &render::diskstats(counters, figures))?;
        let net = root.join("1/net");
        let tcp = match self.group {
            Some(_) => &counters.host_tcp,
            None => &counters.pod_tcp,
        };
        replace(&net, "snmp", &render::snmp(tcp))?;
        replace(&net, "netstat", &render::netstat(tcp))?;
        for (resource, text) in render::pressures(&counters.stalls) {
            replace(&root.join("pressure"), resource, &text)?;
        }
        let now = (
            figures.kubelet.map(|process| process.pid),
            figures.cgroup.quota_cores,
            figures
                .kubelet
                .map_or_else(Vec::new, |process| thread_states(&process)),
        );
        let changed = self.written.as_ref() != Some(&now);
        self.written = Some(now);
        match &self.group {
            Some(group) => {
                self.write_group(group, &figures.cgroup, changed)?;
                self.kubelet(figures, changed)
            }
            None => Ok(()),
        }
    }

    /// The kubelet's control group.
    fn write_group(&self, directory: &Path, group: &Cgroup, changed: bool) -> io::Result<()> {
        let stat = render::cpu_stat(&self.counters, group);
        replace(directory, "cpu.stat", &stat)?;
        for (file, text) in render::quota(group).into_iter().filter(|_| changed) {
            replace(directory, file, &text)?;
        }
        if group.version == 2 {
            for (resource, text) in render::pressures(&self.counters.group_stalls) {
                replace(directory, &format!("{resource}.pressure"), &text)?;
            }
        }
        Ok(())
    }

    /// The kubelet's own directory; another when it was restarted, none while it is gone.
    fn kubelet(&mut self, figures: &Figures, changed: bool) -> io::Result<()> {
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
            let groups = match figures.cgroup.version {
                1 => format!("5:memory:{GROUP}\n4:cpu,cpuacct:{GROUP}\n1:name=systemd:{GROUP}\n"),
                _ => format!("0::{GROUP}\n"),
            };
            fs::write(directory.join("cgroup"), groups)?;
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
        for (thread, state) in (0..THREADS).zip(thread_states(&process)) {
            let directory = task(&directory, process.pid, thread);
            replace(&directory, "schedstat", &share)?;
            if changed {
                let stat = render::task_stat(process.pid + thread, state);
                replace(&directory, "stat", &stat)?;
            }
        }
        Ok(())
    }
}

/// The directory of the kubelet's control group, in a hierarchy mounted as distributions do.
fn group_dir(mounts: &Path, version: u32) -> io::Result<PathBuf> {
    fs::create_dir_all(mounts)?;
    let hierarchy = if version == 1 {
        symlink("cpu,cpuacct", mounts.join("cpu"))?;
        mounts.join("cpu,cpuacct")
    } else {
        mounts.to_owned()
    };
    let group = hierarchy.join(GROUP.trim_start_matches('/'));
    fs::create_dir_all(&group)?;
    Ok(group)
}

/// The states of a process's threads, the first thread's first: all are stopped or none; of the rest, as many as there are wait
/// for IO.
fn thread_states(process: &Process) -> Vec<char> {
    let (first, stopped) = (process.state, process.state == 'T');
    let waiting = process.uninterruptible - u32::from(first == 'D').min(process.uninterruptible);
    let others = (0..).map(move |thread| match thread {
        _ if stopped => 'T',
        thread if thread < waiting => 'D',
        _ => 'S',
    });
    let states = std::iter::once(first).chain(others);
    states.take(THREADS as usize).collect()
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
