//! /proc/PID of the kubelet: whether it gets the processor and the memory it needs.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use nodegrace_proto::v1::KubeletProcess;
use procfs::{
    FromRead as _,
    process::{Schedstat, Stat},
};

use super::{Missing, Reading, rate, read_file, unreadable};
use crate::{config::KubeletProcessName, wire};

/// Remembers which process it was and its counters.
#[derive(Debug)]
pub(super) struct KubeletMeter {
    name: KubeletProcessName,
    pid: Option<u32>,
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

impl KubeletMeter {
    pub(super) fn new(name: KubeletProcessName) -> Self {
        Self {
            name,
            pid: None,
            before: None,
            ticks_per_second: procfs::ticks_per_second().max(1),
            page_size: procfs::page_size(),
        }
    }

    pub(super) fn read(&mut self, proc_root: &Path, now: Duration) -> Reading<KubeletProcess> {
        // The process found the last time first: looking through all of them costs more.
        let (pid, stat) = match self
            .pid
            .and_then(|pid| Some((pid, self.stat_of(proc_root, pid)?)))
        {
            Some(found) => found,
            None => self.find(proc_root)?,
        };
        self.pid = Some(pid);
        let counters = Counters {
            at: now,
            pid,
            start: stat.starttime,
            cpu: stat.utime.saturating_add(stat.stime),
            major_faults: stat.majflt,
            run_queue_wait: run_queue_wait(&proc_root.join(pid.to_string())),
        };
        let before = self.before.replace(counters);
        let mut process = KubeletProcess {
            pid,
            start_monotonic: Some(wire::duration(Duration::from_secs_f64(
                stat.starttime as f64 / self.ticks_per_second as f64,
            ))),
            state: stat.state.to_string(),
            threads: u32::try_from(stat.num_threads).unwrap_or(0),
            resident_bytes: stat.rss.saturating_mul(self.page_size),
            ..KubeletProcess::default()
        };
        if let Some(before) =
            before.filter(|before| (before.pid, before.start) == (pid, counters.start))
        {
            self.rates(before, counters, &mut process);
        }
        Ok(process)
    }

    fn rates(&self, before: Counters, now: Counters, process: &mut KubeletProcess) {
        let seconds = now.at.saturating_sub(before.at).as_secs_f64();
        process.cpu_cores =
            rate(before.cpu, now.cpu, seconds).map(|ticks| ticks / self.ticks_per_second as f64);
        process.major_faults_per_second = rate(before.major_faults, now.major_faults, seconds);
        process.run_queue_wait_ratio = before
            .run_queue_wait
            .zip(now.run_queue_wait)
            // A thread that ended takes its wait with it: then the sum goes back and says nothing.
            .and_then(|(before, now)| rate(before, now, seconds))
            .map(|nanos| nanos / 1e9);
    }

    /// The process of this pid, if it is the kubelet (still).
    fn stat_of(&self, proc_root: &Path, pid: u32) -> Option<Stat> {
        let directory = proc_root.join(pid.to_string());
        match &self.name {
            KubeletProcessName::Name(name) if !is_named(&directory, name) => None,
            KubeletProcessName::PidFile(file) if read_pid(file) != Ok(pid) => None,
            _ => parse(&read_file(&directory.join("stat")).ok()?).ok(),
        }
    }

    fn find(&mut self, proc_root: &Path) -> Reading<(u32, Stat)> {
        self.pid = None;
        match &self.name {
            KubeletProcessName::PidFile(file) => {
                let pid = read_pid(file)?;
                let stat = parse(&read_file(&proc_root.join(pid.to_string()).join("stat"))?)?;
                Ok((pid, stat))
            }
            KubeletProcessName::Name(name) => {
                let entries = fs::read_dir(proc_root).map_err(|error| {
                    Missing::Failed(format!("{}: {error}", proc_root.display()))
                })?;
                entries
                    .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                    .find_map(|pid| Some((pid, self.stat_of(proc_root, pid)?)))
                    .ok_or_else(|| {
                        Missing::Absent(format!(
                            "no process named {name} in {}",
                            proc_root.display()
                        ))
                    })
            }
        }
    }
}

/// Bytes at which the kernel cuts a process's name (`TASK_COMM_LEN` less its terminator).
const COMM: usize = 15;

/// Whether a process runs the program `name`: by its name, or where that is cut by its command line.
fn is_named(directory: &Path, name: &str) -> bool {
    let Ok(comm) = fs::read_to_string(directory.join("comm")) else {
        return false;
    };
    let comm = comm.trim_end_matches('\n');
    let cut = || comm.len() == COMM && name.starts_with(comm);
    comm == name || (cut() && command(directory).is_some_and(|command| command.ends_with(name)))
}

/// File name of the program on the command line of a process.
fn command(directory: &Path) -> Option<PathBuf> {
    let line = fs::read(directory.join("cmdline")).ok()?;
    let program = line.split(|&byte| byte == 0).next()?;
    Some(PathBuf::from(std::str::from_utf8(program).ok()?))
}

fn read_pid(file: &Path) -> Reading<u32> {
    let text = read_file(file)?;
    text.trim()
        .parse()
        .map_err(|_| Missing::Failed(format!("{}: holds no process id", file.display())))
}

fn parse(text: &str) -> Reading<Stat> {
    // procfs cuts the name out without looking where its parentheses are, and whether anything stands around them.
    let named = text.trim().split_once('(').is_some_and(|(pid, rest)| {
        let behind = rest.rsplit_once(')').map(|(_, behind)| behind);
        pid.ends_with(' ') && behind.is_some_and(|behind| behind.starts_with(' '))
    });
    if !named {
        return Err(Missing::Failed("stat of the process: names none".into()));
    }
    Stat::from_read(text.as_bytes()).map_err(unreadable("stat of the process"))
}

/// Time all threads of a process waited on run queues, in nanoseconds. `None` where the kernel does not say.
fn run_queue_wait(directory: &Path) -> Option<u64> {
    let mut sum: u64 = 0;
    for task in fs::read_dir(directory.join("task")).ok()? {
        // A thread may end while it is read.
        let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else {
            continue;
        };
        sum = sum.saturating_add(Schedstat::from_read(text.as_bytes()).ok()?.run_delay);
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        fs::write(
            directory.join("stat"),
            format!(
                "{pid} ({comm}) S 1 1 1 0 -1 4194560 10 0 {faults} 0 {user} 0 0 0 20 0 17 0 {start} 1000000 2500 \
                 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
            ),
        )
        .unwrap();
        fs::write(
            task.join("schedstat"),
            format!("5 {} 9\n", age * 1_000_000_000),
        )
        .unwrap();
    }

    fn by_name(name: &str) -> KubeletMeter {
        KubeletMeter::new(KubeletProcessName::Name(name.into()))
    }

    #[test]
    fn the_kubelet_is_found_by_name_and_its_rates_come_with_the_second_sample() {
        let root = tempfile::tempdir().unwrap();
        write_process(root.path(), 7, "sshd", 100, 0);
        write_process(root.path(), 42, "kubelet", 30_000, 10);
        let mut meter = by_name("kubelet");
        let first = meter.read(root.path(), Duration::from_secs(1000)).unwrap();
        assert_eq!(
            (first.pid, first.state.as_str(), first.threads),
            (42, "S", 17)
        );
        assert_eq!(first.start_monotonic.unwrap().seconds, 300);
        assert_eq!(first.cpu_cores, None);
        write_process(root.path(), 42, "kubelet", 30_000, 20);
        let second = meter.read(root.path(), Duration::from_secs(1010)).unwrap();
        assert_eq!(second.cpu_cores, Some(0.5));
        assert_eq!(second.run_queue_wait_ratio, Some(1.0));
        assert_eq!(second.major_faults_per_second, Some(2.0));
    }

    #[test]
    fn a_restarted_kubelet_is_found_again_and_has_no_rates_yet() {
        let root = tempfile::tempdir().unwrap();
        write_process(root.path(), 42, "kubelet", 30_000, 10);
        let mut meter = by_name("kubelet");
        meter.read(root.path(), Duration::from_secs(1000)).unwrap();
        fs::remove_dir_all(root.path().join("42")).unwrap();
        assert!(matches!(
            meter.read(root.path(), Duration::from_secs(1010)),
            Err(Missing::Absent(_))
        ));
        write_process(root.path(), 43, "kubelet", 101_500, 1);
        let again = meter.read(root.path(), Duration::from_secs(1020)).unwrap();
        assert_eq!((again.pid, again.cpu_cores), (43, None));
    }

    #[test]
    fn a_long_name_is_compared_with_the_command_line() {
        let root = tempfile::tempdir().unwrap();
        write_process(root.path(), 42, "kubelet-with-a-very-long-name", 1, 1);
        fs::write(root.path().join("42/comm"), "kubelet-with-a-\n").unwrap();
        assert!(
            by_name("kubelet-with-a-very-long-name")
                .read(root.path(), Duration::ZERO)
                .is_ok()
        );
        assert!(
            by_name("kubelet-with-another-name")
                .read(root.path(), Duration::ZERO)
                .is_err()
        );
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        for text in [
            "",
            "(kubelet) S 1",
            "7\u{e9}(kubelet) S 1",
            "7 )kubelet( S 1",
            "7 (kubelet)",
            "7 (kubelet)\u{e9} S 1",
            "7 (kubelet) S 1",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn counters_at_the_end_of_their_range_are_read() {
        let root = tempfile::tempdir().unwrap();
        write_process(root.path(), 42, "kubelet", 1, 1);
        let most = u64::MAX;
        let stat = root.path().join("42/stat");
        let text = format!(
            "42 (kubelet) S 1 1 1 0 -1 4194560 10 0 {most} 0 {most} {most} 0 0 20 0 17 0 {most} 1000000 {most} \
             18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        fs::write(stat, text).unwrap();
        for thread in ["42", "43"] {
            let task = root.path().join("42/task").join(thread);
            fs::create_dir_all(&task).unwrap();
            fs::write(task.join("schedstat"), format!("5 {most} 9\n")).unwrap();
        }
        let process = by_name("kubelet").read(root.path(), Duration::ZERO);
        assert_eq!(process.unwrap().resident_bytes, most);
    }

    #[test]
    fn the_kubelet_is_found_by_its_pid_file() {
        let root = tempfile::tempdir().unwrap();
        write_process(root.path(), 42, "k3s", 1, 1);
        let file = root.path().join("kubelet.pid");
        let mut meter = KubeletMeter::new(KubeletProcessName::PidFile(file.clone()));
        assert!(matches!(
            meter.read(root.path(), Duration::ZERO),
            Err(Missing::Absent(_))
        ));
        fs::write(&file, "42\n").unwrap();
        assert_eq!(meter.read(root.path(), Duration::ZERO).unwrap().pid, 42);
        fs::write(&file, "nonsense").unwrap();
        assert!(matches!(
            meter.read(root.path(), Duration::ZERO),
            Err(Missing::Failed(_))
        ));
    }
}
