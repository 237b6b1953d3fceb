//! What a process and a directory take, as the kernel tells it.

use std::{fs, io, path::Path};

/// What a process takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// Resident memory, in KiB.
    pub(super) rss_kib: u64,
    /// What of it is no file's: heap and stacks, all that a program can leak. The rest is mostly the program itself, which the
    /// kernel keeps or not as it sees fit. In KiB.
    pub(super) anonymous_kib: u64,
    /// What the process has allocated and not given back, by its own count; C libraries not included. In KiB; 0: it told nothing
    /// yet.
    pub(super) allocated_kib: u64,
    /// Open file descriptors.
    pub(super) descriptors: usize,
}

impl Usage {
    /// What the process `id` takes now.
    ///
    /// # Errors
    /// When it is gone.
    pub(super) fn of(id: u32) -> io::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
        let kib = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            rss_kib: kib("Rss:"),
            anonymous_kib: kib("Anonymous:"),
            allocated_kib: 0,
            descriptors: fs::read_dir(format!("/proc/{id}/fd"))?.count(),
        })
    }
}

/// Bytes of all files below a directory. What vanishes meanwhile is not counted.
pub(crate) fn bytes_below(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_and_descriptors() {
        let usage = Usage::of(std::process::id()).expect("it runs");
        assert!(usage.rss_kib > usage.anonymous_kib);
        assert!(usage.anonymous_kib > 0 && usage.descriptors >= 3);
    }

    #[test]
    fn a_directory_takes_what_its_files_take() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join("below")).expect("a directory");
        fs::write(directory.path().join("a"), [0; 10]).expect("a file");
        fs::write(directory.path().join("below/b"), [0; 5]).expect("a file");
        assert_eq!(bytes_below(directory.path()), 15);
    }
}
