//! Where samples come from: one file each, reading apart from parsing. A source that fails says so in the sample and hides
//! no other.

mod cgroup;
mod cpu;
mod disk;
mod exposition;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod host;
mod kubelet;
mod kubelet_cgroup;
mod kubelet_config;
mod kubelet_metrics;
mod kubelet_process;
mod kubelet_program;
mod kubelet_server;
mod kubelet_threads;
mod load;
mod memory;
mod network;
mod pressure;
mod runtime;
mod runtime_socket;
mod sampler;
mod series;
mod slot;
mod vigil;

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use nodegrace_proto::v1::Failure;

pub use self::{host::HostFiles, series::Series};
pub(crate) use self::{
    kubelet_server::KubeletServer, runtime_socket::RuntimeSocket, sampler::Sampler,
};

/// Bytes that nearly every file of /proc fits into that is read here, and one of the kernel's pages.
const ROOM: usize = 4096;

/// Why a source gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is not there or not configured: unknown, and no fault.
    Absent(String),
    /// It is there, and reading it failed.
    Failed(String),
    /// It was asked, and that failed in this way.
    Unanswered(Failure, String),
}

impl Missing {
    /// How it failed, where that is known.
    fn failure(&self) -> Failure {
        match self {
            Self::Unanswered(failure, _) => *failure,
            Self::Absent(_) | Self::Failed(_) => Failure::Unspecified,
        }
    }
}

/// What a source gave.
type Reading<T> = Result<T, Missing>;

/// Reads a small file of /proc. One that does not exist, or that the kernel was told not to fill, is absent.
fn read_file(path: &Path) -> Reading<String> {
    // The kernel does not tell how long such a file is, and without room for all of it would be asked for it bit by bit.
    let mut text = String::with_capacity(ROOM);
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    read.map(|_| text).map_err(|error| {
        let words = format!("{}: {error}", path.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::Unsupported => Missing::Absent(words),
            _ => Missing::Failed(words),
        }
    })
}

/// What a parser of procfs could not read.
fn unreadable(file: &str) -> impl Fn(procfs::ProcError) -> Missing {
    move |error| Missing::Failed(format!("{file}: {error}"))
}

/// A figure that the kernel writes with two decimals, without what procfs's `f32` adds to it.
///
/// # Errors
/// When it is none: "inf" is a number to whoever parses it.
fn hundredths(file: &str, figure: f32) -> Reading<f64> {
    let hundredths = (f64::from(figure) * 100.0).round() / 100.0;
    if !hundredths.is_finite() || hundredths < 0.0 {
        return Err(Missing::Failed(format!("{file}: {figure} is no figure")));
    }
    Ok(hundredths)
}

/// `now - before` of a counter, per second; `None` when it went back.
fn rate(before: u64, now: u64, seconds: f64) -> Option<f64> {
    let difference = now.checked_sub(before)?;
    (seconds > 0.0).then(|| difference as f64 / seconds)
}
