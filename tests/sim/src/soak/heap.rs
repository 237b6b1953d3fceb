//! What a process has allocated, by its own count, told to the process that started it.
//!
//! Resident memory tells a leak late and much else besides: pages are touched for the first time, and freed ones are kept. What is
//! allocated and not given back is what a leak is made of.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// Names the file in the environment of the process that is to tell.
pub(super) const FILE: &str = "NODEGRACE_SOAK_HEAP";
/// Time between two tellings.
const PACE: Duration = Duration::from_secs(1);

/// Tells `allocated` again and again where the environment asks for it, on a thread of its own.
///
/// # Errors
/// When there is no thread to be had.
pub(super) fn tell(allocated: fn() -> usize) -> io::Result<()> {
    let Some(file) = env::var_os(FILE).map(PathBuf::from) else {
        return Ok(());
    };
    thread::Builder::new()
        .name("heap".to_owned())
        .spawn(move || {
            // Whoever asked is gone when it cannot be told.
            while write(&file, allocated()).is_ok() {
                thread::sleep(PACE);
            }
        })
        .map(drop)
}

/// Replaced whole, so that half a number is never read.
fn write(file: &Path, bytes: usize) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, bytes.to_string())?;
    fs::rename(new, file)
}

/// What a process told last, in KiB. Absent: nothing yet.
pub(super) fn told(file: &Path) -> Option<u64> {
    let bytes: u64 = fs::read_to_string(file).ok()?.parse().ok()?;
    Some(bytes >> 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("heap");
        assert_eq!(told(&file), None);
        write(&file, 5 << 20).expect("a file");
        assert_eq!(told(&file), Some(5 << 10));
    }
}
