//! The text of each file under `/proc`, in the kernel's formats.

use super::counters::{Counters, Stall, THREADS, TICKS};
use crate::kubelet::{Figures, Process};

/// Tasks of a host besides those that run.
const TASKS: u32 = 420;

pub(super) fn loadavg(counters: &Counters, figures: &Figures) -> String {
    let [one, five, fifteen] = counters.loads;
    let running = figures.runnable.round().max(1.0) as u32;
    format!(
        "{one:.2} {five:.2} {fifteen:.2} {running}/{} 4242\n",
        TASKS + running
    )
}

pub(super) fn stat(counters: &Counters, figures: &Figures) -> String {
    let cpus = counters.cpus as u32;
    let line = |name: &str, by: f64| {
        let [user, system, idle, iowait, steal] = counters.ticks.map(|ticks| (ticks / by) as u64);
        format!("{name} {user} 0 {system} {idle} {iowait} 0 0 {steal} 0 0\n")
    };
    let mut text = line("cpu ", 1.0);
    for cpu in 0..cpus {
        text += &line(&format!("cpu{cpu}"), counters.cpus);
    }
    let running = figures.runnable.round().max(1.0) as u32;
    let blocked = figures.blocked.round() as u32;
    text + &format!(
        "intr 0\nctxt {}\nbtime 1\nprocesses 4242\nprocs_running {running}\nprocs_blocked {blocked}\n",
        (counters.at.as_secs_f64() * 9000.0) as u64
    )
}

pub(super) fn uptime(counters: &Counters) -> String {
    format!(
        "{:.2} {:.2}\n",
        counters.at.as_secs_f64(),
        counters.ticks[2] / TICKS
    )
}

pub(super) fn meminfo(counters: &Counters, figures: &Figures) -> String {
    let total = counters.memory_bytes >> 10;
    let available = (total as f64 * figures.memory_available_ratio) as u64;
    format!(
        "MemTotal: {total:>15} kB\nMemFree: {:>16} kB\nMemAvailable: {available:>11} kB\nBuffers: {:>16} kB\nCached: {:>17} kB\n\
         SwapCached: {:>13} kB\nSwapTotal: {:>14} kB\nSwapFree: {:>15} kB\nDirty: {:>18} kB\nWriteback: {:>14} kB\n",
        available / 3,
        total / 50,
        available / 2,
        0,
        0,
        0,
        1024,
        0
    )
}

pub(super) fn vmstat(counters: &Counters) -> String {
    let faults = counters.major_faults as u64;
    format!(
        "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault {}\npgmajfault {faults}\n",
        faults * 300
    )
}

pub(super) fn diskstats(counters: &Counters, figures: &Figures) -> String {
    let integer = |value: f64| value as u64;
    format!(
        " 259       0 nvme0n1 {} 0 {} {} {} 0 {} {} {} {} {} 0 0 0 0 0 0\n",
        integer(counters.reads),
        integer(counters.sectors_read),
        integer(0.3 * counters.request_millis),
        integer(counters.writes),
        integer(counters.sectors_written),
        integer(0.7 * counters.request_millis),
        figures.disk.queue.round() as u64,
        integer(counters.disk_busy_millis),
        integer(counters.disk_queue_millis),
    )
}

pub(super) fn snmp(counters: &Counters) -> String {
    let retransmits = counters.retransmits as u64;
    format!(
        "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n\
         Tcp: 1 200 120000 -1 100 100 0 0 40 100000 100000 {retransmits} 0 0 0\n"
    )
}

pub(super) fn pressure(some: &Stall, full: Option<&Stall>) -> String {
    let line = |name: &str, stall: &Stall| {
        let [ten, sixty, more] = stall.averages;
        format!(
            "{name} avg10={ten:.2} avg60={sixty:.2} avg300={more:.2} total={}\n",
            stall.total_micros as u64
        )
    };
    let full = full.copied().unwrap_or_default();
    line("some", some) + &line("full", &full)
}

pub(super) fn process_stat(counters: &Counters, process: &Process) -> String {
    let user = (0.7 * counters.kubelet_cpu * TICKS) as u64;
    let system = (0.3 * counters.kubelet_cpu * TICKS) as u64;
    stat_line(
        process.pid,
        "kubelet",
        process.state,
        counters.kubelet_faults as u64,
        [user, system],
        THREADS,
        (process.started.as_secs_f64() * TICKS) as u64,
        process.resident_bytes >> 12,
    )
}

/// `/proc/PID/stat` of a process that does nothing.
pub(super) fn other_stat(pid: u32, name: &str) -> String {
    stat_line(pid, name, 'S', 0, [100, 50], 1, 10, 3000)
}

#[allow(
    clippy::too_many_arguments,
    reason = "the kernel's line has 52 fields; these are the ones that vary"
)]
fn stat_line(
    pid: u32,
    name: &str,
    state: char,
    major_faults: u64,
    [user, system]: [u64; 2],
    threads: u32,
    start_ticks: u64,
    resident_pages: u64,
) -> String {
    format!(
        "{pid} ({name}) {state} 1 {pid} {pid} 0 -1 4194560 90000 0 {major_faults} 0 {user} {system} 0 0 20 0 {threads} 0 \
         {start_ticks} 2200000000 {resident_pages} 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
    )
}

pub(super) fn process_status(process: &Process) -> String {
    let (state, pid) = (process.state, process.pid);
    let word = match state {
        'R' => "running",
        'T' => "stopped",
        _ => "sleeping",
    };
    format!(
        "Name:\tkubelet\nUmask:\t0022\nState:\t{state} ({word})\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t1\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n\
         VmRSS:\t{} kB\nThreads:\t{THREADS}\n",
        process.resident_bytes >> 10
    )
}

/// One thread's share of the process: nanoseconds on a processor, nanoseconds waiting for one, time slices.
pub(super) fn schedstat(counters: &Counters, threads: u32) -> String {
    let share = |seconds: f64| (seconds / f64::from(threads) * 1e9) as u64;
    format!(
        "{} {} {}\n",
        share(counters.kubelet_cpu),
        share(counters.kubelet_wait),
        counters.at.as_secs()
    )
}
