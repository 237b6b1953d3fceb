//! Finding the kubelet's process under /proc, and reading what it counts.

use std::{fs, path::Path};

use procfs::{FromRead as _, process::Stat};

use super::{
    Missing, Reading,
    kubelet_program::{self, Program},
    kubelet_threads::Threads,
    read_file, unreadable,
};
use crate::config::KubeletProcessName;

/// Knows which process the kubelet is, and follows its threads.
#[derive(Debug)]
pub(super) struct Kubelet {
    name: KubeletProcessName,
    found: Option<Found>,
    threads: Threads,
}

/// The kubelet's process.
#[derive(Clone, Debug)]
struct Found {
    pid: u32,
    /// Start of the process in ticks since boot: with its pid its identity.
    start: u64,
    program: String,
}

/// The kubelet's process at one moment.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) pid: u32,
    /// Name of the program it runs in.
    pub(super) program: String,
    pub(super) stat: Stat,
    /// Time its threads waited on run queues since it was found, in nanoseconds. `None` where the kernel does not say.
    pub(super) run_queue_wait: Option<u64>,
    /// Its threads in state D. `None`: not known.
    pub(super) uninterruptible_threads: Option<u32>,
}

impl Kubelet {
    pub(super) fn new(name: KubeletProcessName) -> Self {
        Self {
            name,
            found: None,
            threads: Threads::default(),
        }
    }

    /// Its process as it is now.
    pub(super) fn read(&mut self, proc_root: &Path) -> Reading<Seen> {
        // The process found the last time first: looking through all of them costs more.
        let (found, stat) = match self.still_there(proc_root) {
            Some(again) => again,
            None => self.find(proc_root)?,
        };
        let directory = proc_root.join(found.pid.to_string());
        let threads = self.threads.read(&directory, stat.starttime);
        let seen = Seen {
            pid: found.pid,
            program: found.program.clone(),
            stat,
            run_queue_wait: threads.run_queue_wait,
            uninterruptible_threads: threads.uninterruptible,
        };
        self.found = Some(found);
        Ok(seen)
    }

    /// The process found the last time, if it is still there and runs the same program.
    fn still_there(&mut self, proc_root: &Path) -> Option<(Found, Stat)> {
        let found = self.found.take()?;
        let stat = stat_of(proc_root, found.pid).ok()?;
        let same = match &self.name {
            KubeletProcessName::PidFile(file) => read_pid(file) == Ok(found.pid),
            _ => kubelet_program::may_be(&stat.comm, &found.program),
        };
        (same && stat.starttime == found.start).then_some((found, stat))
    }

    fn find(&self, proc_root: &Path) -> Reading<(Found, Stat)> {
        let (pid, program, stat) = match &self.name {
            KubeletProcessName::PidFile(file) => {
                let pid = read_pid(file)?;
                let stat = stat_of(proc_root, pid)?;
                (pid, stat.comm.clone(), stat)
            }
            KubeletProcessName::Name(name) => search(proc_root, &[Program::named(name)])?,
            KubeletProcessName::Known => search(proc_root, &kubelet_program::KNOWN)?,
        };
        let found = Found {
            pid,
            start: stat.starttime,
            program,
        };
        Ok((found, stat))
    }
}

/// Looks through all processes for one that runs one of the programs; the earlier in the list, the better.
fn search(proc_root: &Path, programs: &[Program<'_>]) -> Reading<(u32, String, Stat)> {
    let entries = fs::read_dir(proc_root)
        .map_err(|error| Missing::Failed(format!("{}: {error}", proc_root.display())))?;
    let mut best = None;
    for pid in entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok()) {
        let better = best.map_or(programs, |(rank, _)| &programs[..rank]);
        if let Some(rank) = kubelet_program::recognise(&proc_root.join(pid.to_string()), better) {
            best = Some((rank, pid));
            if rank == 0 {
                break;
            }
        }
    }
    let Some((rank, pid)) = best else {
        let names: Vec<_> = programs.iter().map(|program| program.name).collect();
        let reason = format!(
            "no process named {} in {}",
            names.join(", "),
            proc_root.display()
        );
        return Err(Missing::Absent(reason));
    };
    let stat = stat_of(proc_root, pid)?;
    Ok((pid, programs[rank].name.to_owned(), stat))
}

fn stat_of(proc_root: &Path, pid: u32) -> Reading<Stat> {
    parse(&read_file(&proc_root.join(pid.to_string()).join("stat"))?)
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

fn read_pid(file: &Path) -> Reading<u32> {
    let text = read_file(file)?;
    text.trim()
        .parse()
        .map_err(|_| Missing::Failed(format!("{}: holds no process id", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
