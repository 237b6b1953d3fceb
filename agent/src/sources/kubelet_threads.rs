//! /proc/PID/task of the kubelet: how long its threads waited for a processor, and which of them wait for IO now.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    mem,
    path::{Path, PathBuf},
};

/// Most threads that are looked at: at 12 µs each, 3 ms. A kubelet has some dozens, a distribution in one process up to some
/// hundreds; of more, these figures are those of the oldest.
const MOST_THREADS: usize = 256;

/// Follows the threads of one process.
#[derive(Debug, Default)]
pub(super) struct Threads {
    /// Directory and start of the process: another one has other threads.
    process: Option<(PathBuf, u64)>,
    /// Ids of the threads that were there at the last look, looked at or not, ascending.
    there: Vec<u32>,
    /// By thread id, how long it had waited on run queues when last looked at, in nanoseconds.
    waited: BTreeMap<u32, u64>,
    /// Time waited since the process is followed, in nanoseconds.
    total: u64,
}

/// What the threads of a process say at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ThreadFigures {
    /// Time they waited on run queues since the process is followed, in nanoseconds. It never goes back while that is the
    /// same process. `None` where the kernel does not say.
    pub(super) run_queue_wait: Option<u64>,
    /// How many are in state D. `None`: not known.
    pub(super) uninterruptible: Option<u32>,
}

impl Threads {
    /// Looks at the threads of the process in `directory` that started at `start`.
    pub(super) fn read(&mut self, directory: &Path, start: u64) -> ThreadFigures {
        let known = self
            .process
            .as_ref()
            .is_some_and(|(followed, since)| followed == directory && *since == start);
        if !known {
            *self = Self {
                process: Some((directory.to_owned(), start)),
                ..Self::default()
            };
        }
        let before = mem::take(&mut self.waited);
        let tasks = directory.join("task");
        let (mut states, mut uninterruptible) = (0, 0);
        let mut ids: Vec<u32> = thread_ids(&tasks).collect();
        for &thread in ids.iter().take(MOST_THREADS) {
            let task = tasks.join(thread.to_string());
            // A thread may end while it is looked at.
            if let Some(state) = read_part(&task.join("stat"), state) {
                states += 1;
                uninterruptible += u32::from(state == b'D');
            }
            let Some(waited) = read_part(&task.join("schedstat"), run_delay) else {
                continue;
            };
            // A thread counts from the first look at it on, which for one that comes into view may be long after it started.
            // Only what is new has waited all it did since the last look.
            let is_new = known && self.there.binary_search(&thread).is_err();
            let unknown = if is_new { 0 } else { waited };
            let earlier = before.get(&thread).copied().unwrap_or(unknown);
            self.total = self.total.saturating_add(waited.saturating_sub(earlier));
            self.waited.insert(thread, waited);
        }
        ids.sort_unstable();
        self.there = ids;
        ThreadFigures {
            run_queue_wait: (!self.waited.is_empty()).then_some(self.total),
            uninterruptible: (states > 0).then_some(uninterruptible),
        }
    }
}

/// The threads of a process, the oldest first, as the kernel lists them.
fn thread_ids(tasks: &Path) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(tasks).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Parses the first bytes of a file of one line, read at one go: of a file of /proc, that is cheaper than to look for its end.
fn read_part<T>(path: &Path, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    // A line of stat up to its state, or of schedstat, has less than a hundred.
    let mut bytes = [0; 128];
    let length = File::open(path).ok()?.read(&mut bytes).ok()?;
    parse(str::from_utf8(&bytes[..length]).ok()?)
}

/// The state letter of a line of stat: it follows the name, which may hold anything and is in brackets.
fn state(stat: &str) -> Option<u8> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.bytes().next()
}

/// The second figure of schedstat: time spent waiting on run queues, in nanoseconds.
fn run_delay(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process with some threads.
    struct Process(tempfile::TempDir);

    impl Process {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, thread: u32, state: char, waited: u64) {
            let task = self.0.path().join("task").join(thread.to_string());
            fs::create_dir_all(&task).unwrap();
            let stat = format!("{thread} (a ) D b) {state} 1 1 1 0 -1 4194560 10 0");
            fs::write(task.join("stat"), stat).unwrap();
            fs::write(task.join("schedstat"), format!("5 {waited} 9\n")).unwrap();
        }

        fn end(&self, thread: u32) {
            fs::remove_dir_all(self.0.path().join("task").join(thread.to_string())).unwrap();
        }

        fn read(&self, threads: &mut Threads) -> (Option<u64>, Option<u32>) {
            let figures = threads.read(self.0.path(), 1);
            (figures.run_queue_wait, figures.uninterruptible)
        }
    }

    #[test]
    fn waits_count_from_the_first_look_on() {
        let (process, mut threads) = (Process::new(), Threads::default());
        process.write(7, 'S', 1000);
        process.write(8, 'D', 5000);
        assert_eq!(process.read(&mut threads), (Some(0), Some(1)));
        process.write(7, 'D', 1200);
        process.write(8, 'D', 5010);
        assert_eq!(process.read(&mut threads), (Some(210), Some(2)));
    }

    #[test]
    fn threads_that_come_and_go_leave_the_sum_right() {
        let (process, mut threads) = (Process::new(), Threads::default());
        process.write(7, 'S', 1000);
        process.write(8, 'S', 9000);
        process.read(&mut threads);
        process.end(8);
        process.write(9, 'S', 40);
        assert_eq!(process.read(&mut threads), (Some(40), Some(0)));
    }

    #[test]
    fn another_process_of_the_same_id_is_followed_anew() {
        let (process, mut threads) = (Process::new(), Threads::default());
        process.write(7, 'S', 1000);
        process.read(&mut threads);
        process.write(7, 'S', 3000);
        let figures = threads.read(process.0.path(), 2);
        assert_eq!(figures.run_queue_wait, Some(0));
    }

    #[test]
    fn a_kernel_that_does_not_time_run_queues_still_tells_states() {
        let (process, mut threads) = (Process::new(), Threads::default());
        process.write(7, 'S', 1000);
        fs::remove_file(process.0.path().join("task/7/schedstat")).unwrap();
        assert_eq!(process.read(&mut threads), (None, Some(0)));
        process.end(7);
        assert_eq!(process.read(&mut threads), (None, None));
    }

    #[test]
    fn of_very_many_threads_only_some_are_looked_at() {
        let (process, mut threads) = (Process::new(), Threads::default());
        for thread in 0..300 {
            process.write(thread, 'D', 0);
        }
        assert_eq!(process.read(&mut threads), (Some(0), Some(256)));
    }

    #[test]
    fn a_thread_that_comes_into_view_counts_from_then_on_however_long_it_was_there() {
        let (process, mut threads) = (Process::new(), Threads::default());
        for thread in 0..300 {
            process.write(thread, 'S', 1_000_000);
        }
        process.read(&mut threads);
        // Which ones are looked at is the directory's order: of a real /proc, that of their age.
        for thread in (0..300).step_by(2) {
            process.end(thread);
        }
        process.write(300, 'S', 40);
        assert_eq!(process.read(&mut threads).0, Some(40));
    }

    #[test]
    fn a_thread_whose_wait_could_not_be_read_once_counts_from_the_next_look_on() {
        let (process, mut threads) = (Process::new(), Threads::default());
        process.write(7, 'S', 1000);
        process.write(8, 'S', 9000);
        process.read(&mut threads);
        let unread = process.0.path().join("task/8/schedstat");
        fs::write(&unread, "").unwrap();
        process.read(&mut threads);
        process.write(8, 'S', 9500);
        assert_eq!(process.read(&mut threads).0, Some(0));
        process.write(8, 'S', 9510);
        assert_eq!(process.read(&mut threads).0, Some(10));
    }

    #[test]
    fn the_threads_of_this_very_process_are_read() {
        let directory = Path::new("/proc/self");
        let mut threads = Threads::default();
        let figures = threads.read(directory, 1);
        assert!(figures.run_queue_wait.is_some());
        assert!(figures.uninterruptible.is_some());
    }
}
