//! The text of each file under `/proc`, in the kernel's formats.

use super::counters::{Counters, Stall, Stalls, THREADS, TICKS, Tcp};
use crate::kubelet::{Cgroup, Figures, Process};

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
    let available = (total as f64 * figures.memory.available_ratio) as u64;
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
    let (faults, reclaims) = (
        counters.major_faults as u64,
        counters.direct_reclaims as u64,
    );
    // Most of what user space allocates is movable.
    format!(
        "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\nallocstall_dma 0\nallocstall_dma32 0\nallocstall_normal {}\n\
         allocstall_movable {}\npgfault {}\npgmajfault {faults}\noom_kill {}\n",
        reclaims / 10,
        reclaims - reclaims / 10,
        faults * 300,
        counters.oom_kills as u64,
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
        integer(counters.request_millis),
    )
}

pub(super) fn snmp(tcp: &Tcp) -> String {
    let (segments, retransmits) = (tcp.segments as u64, tcp.retransmits as u64);
    format!(
        "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n\
         Tcp: 1 200 120000 -1 100 100 0 0 40 {segments} {segments} {retransmits} 0 0 0\n"
    )
}

pub(super) fn netstat(tcp: &Tcp) -> String {
    let timeouts = tcp.timeouts as u64;
    format!(
        "TcpExt: SyncookiesSent TW DelayedACKs TCPLostRetransmit TCPTimeouts TCPSynRetrans TCPOrigDataSent\n\
         TcpExt: 0 1200 3400 7 {timeouts} 5 90000\n"
    )
}

/// The three files of a host's or a group's pressure, by resource.
pub(super) fn pressures(stalls: &Stalls) -> [(&'static str, String); 3] {
    [
        ("cpu", pressure(&stalls.cpu_some, &stalls.cpu_full)),
        ("io", pressure(&stalls.io_some, &stalls.io_full)),
        ("memory", pressure(&stalls.memory_some, &stalls.memory_full)),
    ]
}

/// `cpu.stat` of a group, in the words of its version.
pub(super) fn cpu_stat(counters: &Counters, group: &Cgroup) -> String {
    let (periods, throttled) = (counters.periods as u64, counters.throttled_periods as u64);
    if group.version == 1 {
        let nanos = (counters.throttled * 1e9) as u64;
        return format!("nr_periods {periods}\nnr_throttled {throttled}\nthrottled_time {nanos}\n");
    }
    let used = (counters.kubelet_cpu * 1e6) as u64;
    let micros = (counters.throttled * 1e6) as u64;
    format!(
        "usage_usec {used}\nuser_usec {}\nsystem_usec {}\nnr_periods {periods}\nnr_throttled {throttled}\n\
         throttled_usec {micros}\nnr_bursts 0\nburst_usec 0\n",
        used / 10 * 7,
        used / 10 * 3
    )
}

/// The files that hold a group's quota, in the words of its version; the period is the kernel's default.
pub(super) fn quota(group: &Cgroup) -> Vec<(&'static str, String)> {
    let micros = group.quota_cores.map(|cores| (cores * 1e5) as u64);
    if group.version == 1 {
        let micros = micros.map_or_else(|| "-1".to_owned(), |micros| micros.to_string());
        return vec![
            ("cpu.cfs_quota_us", micros + "\n"),
            ("cpu.cfs_period_us", "100000\n".to_owned()),
        ];
    }
    let micros = micros.map_or_else(|| "max".to_owned(), |micros| micros.to_string());
    vec![("cpu.max", micros + " 100000\n")]
}

fn pressure(some: &Stall, full: &Stall) -> String {
    let line = |name: &str, stall: &Stall| {
        let [ten, sixty, more] = stall.averages;
        format!(
            "{name} avg10={ten:.2} avg60={sixty:.2} avg300={more:.2} total={}\n",
            stall.total_micros as u64
        )
    };
    line("some", some) + &line("full", full)
}

/// `stat` of one of the kubelet's threads.
pub(super) fn task_stat(thread: u32, state: char) -> String {
    stat_line(thread, "kubelet", state, 0, [0, 0], THREADS, 0, 0)
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
        'D' => "disk sleep",
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
