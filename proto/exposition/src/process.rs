//! The figures of this process, from /proc/self, and the names that every Prometheus client gives them.

use procfs::process::Process;

use crate::Kind;

/// Figures of a process. Absent: /proc does not say.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Processor time spent, in seconds.
    pub cpu_seconds: Option<f64>,
    /// Memory resident, in bytes.
    pub resident_bytes: Option<f64>,
    /// Memory mapped, in bytes.
    pub virtual_bytes: Option<f64>,
    /// File descriptors open.
    pub open_fds: Option<f64>,
    /// When it started, in seconds since 1970.
    pub start_seconds: Option<f64>,
}

impl Figures {
    /// Those of this process, now.
    pub fn now() -> Self {
        let Ok(process) = Process::myself() else {
            return Self::default();
        };
        let open_fds = process.fd_count().ok().map(|count| count as f64);
        let Ok(stat) = process.stat() else {
            return Self {
                open_fds,
                ..Self::default()
            };
        };
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        Self {
            cpu_seconds: Some(seconds(stat.utime + stat.stime)),
            resident_bytes: Some((stat.rss * procfs::page_size()) as f64),
            virtual_bytes: Some(stat.vsize as f64),
            open_fds,
            start_seconds: procfs::boot_time_secs()
                .ok()
                .map(|boot| boot as f64 + seconds(stat.starttime)),
        }
    }

    /// Each as a family of one sample: its name, what it is, what it says, and its value.
    pub const fn families(&self) -> [(&'static str, Kind, &'static str, Option<f64>); 5] {
        [
            (
                "process_cpu_seconds",
                Kind::Counter,
                "Processor time spent, user and system.",
                self.cpu_seconds,
            ),
            (
                "process_resident_memory_bytes",
                Kind::Gauge,
                "Memory resident.",
                self.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                Kind::Gauge,
                "Memory mapped.",
                self.virtual_bytes,
            ),
            (
                "process_open_fds",
                Kind::Gauge,
                "File descriptors open.",
                self.open_fds,
            ),
            (
                "process_start_time_seconds",
                Kind::Gauge,
                "Start of the process, in seconds since 1970.",
                self.start_seconds,
            ),
        ]
    }
}
