//! A host's running sums and averages, as a kernel keeps them, fed with the figures of the moment.

use std::time::Duration;

use crate::kubelet::{Figures, Network, NodeSpec, Pressure, Process};

/// Threads of the kubelet.
pub(super) const THREADS: u32 = 6;

/// Clock ticks per second in `/proc`.
pub(super) const TICKS: f64 = 100.0;

/// One resource's pressure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stall {
    /// Averages over 10, 60 and 300 s, as percentages.
    pub(super) averages: [f64; 3],
    /// Time stalled since boot, in microseconds.
    pub(super) total_micros: f64,
}

impl Stall {
    fn advance(&mut self, ratio: f64, seconds: f64) {
        let ratio = ratio.clamp(0.0, 1.0);
        for (average, window) in self.averages.iter_mut().zip([10.0, 60.0, 300.0]) {
            approach(average, 100.0 * ratio, seconds, window);
        }
        self.total_micros += ratio * seconds * 1e6;
    }
}

/// Moves an exponential average towards a value.
fn approach(average: &mut f64, value: f64, seconds: f64, window: f64) {
    *average += (value - *average) * (1.0 - (-seconds / window).exp());
}

/// The pressure of a host or of a control group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stalls {
    pub(super) cpu_some: Stall,
    pub(super) cpu_full: Stall,
    pub(super) io_some: Stall,
    pub(super) io_full: Stall,
    pub(super) memory_some: Stall,
    pub(super) memory_full: Stall,
}

impl Stalls {
    fn advance(&mut self, pressure: &Pressure, seconds: f64) {
        self.cpu_some.advance(pressure.cpu_some, seconds);
        self.cpu_full.advance(pressure.cpu_full, seconds);
        self.io_some.advance(pressure.io_some, seconds);
        self.io_full.advance(pressure.io_full, seconds);
        self.memory_some.advance(pressure.memory_some, seconds);
        self.memory_full.advance(pressure.memory_full, seconds);
    }
}

/// TCP of a network namespace.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tcp {
    pub(super) segments: f64,
    pub(super) retransmits: f64,
    pub(super) timeouts: f64,
}

impl Tcp {
    fn advance(&mut self, network: &Network, seconds: f64) {
        self.segments += network.segments_per_second * seconds;
        self.retransmits += network.retransmits_per_second * seconds;
        self.timeouts += network.timeouts_per_second * seconds;
    }
}

/// Everything of a host that adds up.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) at: Duration,
    pub(super) cpus: f64,
    pub(super) memory_bytes: u64,
    pub(super) loads: [f64; 3],
    /// user, system, idle, iowait, steal, in ticks.
    pub(super) ticks: [f64; 5],
    pub(super) stalls: Stalls,
    pub(super) major_faults: f64,
    pub(super) direct_reclaims: f64,
    pub(super) oom_kills: f64,
    pub(super) reads: f64,
    pub(super) writes: f64,
    pub(super) sectors_read: f64,
    pub(super) sectors_written: f64,
    pub(super) disk_busy_millis: f64,
    /// Of requests that have finished: since Linux 5.0, what is in flight does not count.
    pub(super) request_millis: f64,
    pub(super) host_tcp: Tcp,
    pub(super) pod_tcp: Tcp,
    /// Of the kubelet's control group: periods, those throttled, seconds throttled and its pressure.
    pub(super) periods: f64,
    pub(super) throttled_periods: f64,
    pub(super) throttled: f64,
    pub(super) group_stalls: Stalls,
    /// Of the kubelet's process that runs now: processor seconds, run-queue seconds, major faults.
    pub(super) kubelet_cpu: f64,
    pub(super) kubelet_wait: f64,
    pub(super) kubelet_faults: f64,
    pub(super) kubelet_pid: Option<u32>,
}

impl Counters {
    pub(super) fn new(spec: &NodeSpec, now: Duration) -> Self {
        let cpus = f64::from(spec.cpus);
        Self {
            at: now,
            cpus,
            memory_bytes: spec.memory_bytes,
            loads: [0.3 * cpus; 3],
            // The host has been idling since its boot.
            ticks: [0.0, 0.0, now.as_secs_f64() * cpus * TICKS, 0.0, 0.0],
            stalls: Stalls::default(),
            major_faults: 1000.0,
            direct_reclaims: 20.0,
            oom_kills: 0.0,
            reads: 10_000.0,
            writes: 50_000.0,
            sectors_read: 800_000.0,
            sectors_written: 2_000_000.0,
            disk_busy_millis: 60_000.0,
            request_millis: 80_000.0,
            host_tcp: Tcp {
                segments: 100_000.0,
                retransmits: 40.0,
                timeouts: 9.0,
            },
            pod_tcp: Tcp::default(),
            periods: 0.0,
            throttled_periods: 0.0,
            throttled: 0.0,
            group_stalls: Stalls::default(),
            kubelet_cpu: 60.0,
            kubelet_wait: 4.0,
            kubelet_faults: 20.0,
            kubelet_pid: None,
        }
    }

    /// Lets the host live as `figures` say from the last call until `now`. On one that does not move, time passes and nothing
    /// adds up.
    pub(super) fn advance(&mut self, now: Duration, figures: &Figures) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        if !figures.moves {
            return;
        }
        for (load, window) in self.loads.iter_mut().zip([60.0, 300.0, 900.0]) {
            approach(load, figures.runnable + figures.blocked, seconds, window);
        }
        let cpu = figures.cpu;
        let idle = (1.0 - cpu.user - cpu.system - cpu.iowait - cpu.steal).max(0.0);
        let shares = [cpu.user, cpu.system, idle, cpu.iowait, cpu.steal];
        for (ticks, share) in self.ticks.iter_mut().zip(shares) {
            *ticks += share * seconds * self.cpus * TICKS;
        }
        self.stalls.advance(&figures.pressure, seconds);
        let memory = figures.memory;
        self.major_faults += memory.major_faults_per_second * seconds;
        self.direct_reclaims += memory.direct_reclaims_per_second * seconds;
        self.oom_kills += memory.oom_kills_per_second * seconds;
        self.host_tcp.advance(&figures.network, seconds);
        self.pod_tcp.advance(&figures.pod_network, seconds);

        let disk = figures.disk;
        let requests = disk.requests_per_second * seconds;
        self.reads += 0.3 * requests;
        self.writes += 0.7 * requests;
        self.request_millis += requests * disk.request_time.as_secs_f64() * 1000.0;
        self.sectors_read += disk.read_bytes_per_second * seconds / 512.0;
        self.sectors_written += disk.written_bytes_per_second * seconds / 512.0;
        self.disk_busy_millis += disk.busy.min(1.0) * seconds * 1000.0;

        let group = figures.cgroup;
        let periods = group.periods_per_second * seconds;
        self.periods += periods;
        self.throttled_periods += group.throttled_periods * periods;
        self.throttled += group.throttled * seconds;
        self.group_stalls.advance(&group.pressure, seconds);
        self.kubelet(figures.kubelet, seconds);
    }

    /// The kubelet's process; another begins at zero.
    fn kubelet(&mut self, process: Option<Process>, seconds: f64) {
        if let Some(process) = process {
            if self.kubelet_pid.is_some_and(|pid| pid != process.pid) {
                (self.kubelet_cpu, self.kubelet_wait, self.kubelet_faults) = (0.0, 0.0, 0.0);
            }
            self.kubelet_cpu += process.cores * seconds;
            self.kubelet_wait += process.run_queue_wait * seconds;
            self.kubelet_faults += process.major_faults_per_second * seconds;
        }
        self.kubelet_pid = process.map(|process| process.pid);
    }
}
