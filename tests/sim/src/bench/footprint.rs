//! What a process takes: memory as the kernel tells it, and processor time to the nanosecond.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

/// Memory of a process, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// All that is resident.
    pub(super) resident: u64,
    /// Of that what is no file's: heap and stacks, all that a program itself makes.
    pub(super) anonymous: u64,
    /// Of that what no other process shares.
    pub(super) private: u64,
}

impl Memory {
    /// What the process `id` takes now.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn of(id: u32) -> io::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
        let kib = |name: &str| -> u64 {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            resident: kib("Rss:"),
            anonymous: kib("Anonymous:"),
            private: kib("Private_Clean:") + kib("Private_Dirty:"),
        })
    }
}

/// Processor time of a process, summed over its threads, those that ended included as long as this looks now and then.
#[derive(Debug)]
pub(super) struct Processor {
    id: u32,
    threads: BTreeMap<u32, Thread>,
}

/// What a thread had of the processors.
#[derive(Clone, Copy, Debug)]
struct Thread {
    nanos: u64,
    /// How many times it was given one.
    turns: u64,
}

impl Processor {
    /// That of the process `id`.
    pub(super) const fn of(id: u32) -> Self {
        Self {
            id,
            threads: BTreeMap::new(),
        }
    }

    /// What it used up to now.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn used(&mut self) -> io::Result<Duration> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.id))? {
            let thread = thread?;
            let name = thread.file_name();
            let number = name.to_str().and_then(|name| name.parse::<u32>().ok());
            // One that ends just now has nothing more to say.
            let schedule = fs::read_to_string(thread.path().join("schedstat")).ok();
            let had = schedule.and_then(|schedule| Thread::parse(&schedule));
            if let Some((number, had)) = number.zip(had) {
                self.threads.insert(number, had);
            }
        }
        let nanos = self.threads.values().map(|thread| thread.nanos);
        let seen = Duration::from_nanos(nanos.sum());
        // Exact to a tick only, but with the threads that ended between two looks.
        let all = ticks(&fs::read_to_string(format!("/proc/{}/stat", self.id))?);
        Ok(all.map_or(seen, |all| all.max(seen)))
    }

    /// How many times its threads had been given a processor when this last looked: how often it woke up, where nobody else wants
    /// one.
    pub(super) fn turns(&self) -> u64 {
        self.threads.values().map(|thread| thread.turns).sum()
    }
}

/// What a process had of the processors by its line in /proc, in the kernel's ticks of 10 ms (proc(5): utime and stime).
fn ticks(stat: &str) -> Option<Duration> {
    // A program's name may hold spaces.
    let mut words = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut next = || words.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

impl Thread {
    /// Reads schedstat: time on a processor, time in a queue for one, and turns.
    fn parse(schedule: &str) -> Option<Self> {
        let mut words = schedule.split_ascii_whitespace();
        Some(Self {
            nanos: words.next()?.parse().ok()?,
            turns: words.nth(1)?.parse().ok()?,
        })
    }
}

/// Bytes of a program's file that are instructions.
///
/// # Errors
/// When it is no program of 64 bits, little end first.
pub(super) fn instructions(program: &Path) -> io::Result<u64> {
    let file = fs::read(program)?;
    segments(&file).ok_or_else(|| io::Error::other(format!("{}: no program", program.display())))
}

/// What the segments that may be executed take in the file: see elf(5).
fn segments(file: &[u8]) -> Option<u64> {
    const EXECUTABLE: u64 = 1;
    const LOADED: u64 = 1;
    let number = |at: usize, bytes: usize| -> Option<u64> {
        let bytes = file.get(at..at.checked_add(bytes)?)?.iter().rev();
        Some(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (headers, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let mut sum = 0;
    for header in (0..count).map(|index| headers + index * size) {
        let header = usize::try_from(header).ok()?;
        if number(header, 4)? == LOADED && number(header + 4, 4)? & EXECUTABLE != 0 {
            sum += number(header + 32, 8)?;
        }
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_and_time() {
        let id = std::process::id();
        let memory = Memory::of(id).expect("it runs");
        assert!(memory.resident > memory.private && memory.private >= memory.anonymous);
        let mut processor = Processor::of(id);
        let before = processor.used().expect("it runs");
        assert!(processor.turns() > 0);
        let mut sum = 0_u64;
        for number in 0..10_000_000_u64 {
            sum = std::hint::black_box(sum ^ number);
        }
        assert!(processor.used().expect("it runs") > before, "{sum}");
    }

    #[test]
    fn a_program_is_instructions_and_more() {
        let program = std::env::current_exe().expect("it runs");
        let (all, code) = (
            fs::metadata(&program).expect("it is there").len(),
            instructions(&program).expect("it is a program"),
        );
        assert!(code > 1000 && code < all, "{code} of {all}");
        assert!(segments(b"#!/bin/sh").is_none());
    }
}
