//! What a process takes: memory as the kernel tells it, and processor time to the nanosecond.

use std::{collections::BTreeMap, fs, io, time::Duration};

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
    threads: BTreeMap<u32, u64>,
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
            let nanos = schedule.and_then(|schedule| schedule.split(' ').next()?.parse().ok());
            if let Some((number, nanos)) = number.zip(nanos) {
                self.threads.insert(number, nanos);
            }
        }
        Ok(Duration::from_nanos(self.threads.values().sum()))
    }
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
        let mut sum = 0_u64;
        for number in 0..10_000_000_u64 {
            sum = std::hint::black_box(sum ^ number);
        }
        assert!(processor.used().expect("it runs") > before, "{sum}");
    }
}
