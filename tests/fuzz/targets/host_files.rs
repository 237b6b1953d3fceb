//! The files under /proc that a sample is made of: two readings of one of them, chosen by the first byte.

#![no_main]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
    time::Duration,
};

use libfuzzer_sys::fuzz_target;
use nodegrace_agent::{Config, fuzzing::HostFiles};
use nodegrace_fuzz::{clock, figures, parts, virtual_time};
use tempfile::TempDir;

/// The files, the kubelet's among them: its process has the id 7.
const FILES: [&str; 22] = [
    "stat",
    "loadavg",
    "meminfo",
    "vmstat",
    "diskstats",
    "pressure/cpu",
    "pressure/io",
    "pressure/memory",
    "7/stat",
    "7/task/7/schedstat",
    "7/comm",
    "7/cmdline",
    "7/cgroup",
    "7/task/7/stat",
    "net/snmp",
    "net/netstat",
    "1/net/snmp",
    "1/net/netstat",
    "sys/fs/cgroup/kubelet/cpu.stat",
    "sys/fs/cgroup/kubelet/cpu.max",
    "sys/fs/cgroup/kubelet/cpu.pressure",
    "sys/fs/cgroup/kubelet/io.pressure",
];
/// What the kubelet's files hold unless they are the ones that are read.
const KUBELET: [(&str, &str); 4] = [
    ("7/comm", "kubelet\n"),
    ("7/cgroup", "0::/kubelet\n"),
    ("sys/fs/cgroup/cgroup.controllers", "cpu io memory\n"),
    (
        "7/stat",
        "7 (kubelet) S 1 7 7 0 -1 4194560 6240 0 71 0 1520 903 0 0 20 0 21 0 \
         2174 3208773632 24113 18446744073709551615 1 1 0 0 0 0 0 0 2143420159 0 0 0 17 1 0 0 0 0 0 \
         0 0 0 0 0 0 0 0\n",
    ),
];
/// Time between the readings.
const BETWEEN: Duration = Duration::from_secs(10);

/// A root of this process, in memory where the machine has such a place.
static ROOT: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let root = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    root.expect("a directory")
});

fuzz_target!(|input: &[u8]| {
    let Some((file, contents)) = input.split_first() else {
        return;
    };
    let file = FILES[usize::from(*file) % FILES.len()];
    let root = ROOT.path();
    for (name, content) in KUBELET {
        write(&root.join(name), content.as_bytes());
    }
    virtual_time().block_on(async {
        let (clock, mut host) = (clock(), HostFiles::new(&config(root)));
        for content in parts(contents).take(2) {
            write(&root.join(file), content);
            figures::check_sample(&host.read(&clock));
            tokio::time::advance(BETWEEN).await;
        }
    });
    fs::remove_file(root.join(file)).expect("a file that was written");
});

fn config(root: &Path) -> Config {
    Config {
        proc_root: root.to_owned(),
        sys_root: root.join("sys"),
        ..Config::new("a")
    }
}

fn write(path: &PathBuf, content: &[u8]) {
    let directory = path.parent().expect("a path below the root");
    fs::create_dir_all(directory).expect("a directory");
    fs::write(path, content).expect("a file");
}
