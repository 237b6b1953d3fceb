//! The figures of this process, from /proc/self.

use procfs::process::Process;

/// Figures of this process. Absent: /proc does not say.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) open_fds: Option<f64>,
    pub(super) start_seconds: Option<f64>,
}

/// The figures now.
pub(super) fn figures() -> Figures {
    let Ok(process) = Process::myself() else {
        return Figures::default();
    };
    let open_fds = process.fd_count().ok().map(|count| count as f64);
    let Ok(stat) = process.stat() else {
        return Figures {
            open_fds,
            ..Figures::default()
        };
    };
    let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
    Figures {
        cpu_seconds: Some(seconds(stat.utime + stat.stime)),
        resident_bytes: Some((stat.rss * procfs::page_size()) as f64),
        virtual_bytes: Some(stat.vsize as f64),
        open_fds,
        start_seconds: procfs::boot_time_secs()
            .ok()
            .map(|boot| boot as f64 + seconds(stat.starttime)),
    }
}
