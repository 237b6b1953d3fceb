//! A host's running sums and averages, as a kernel keeps them, fed with the figures of the moment.

use std::time::Duration;

use crate::kubelet::{Figures, NodeSpec};

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

/// Everything of a host that adds up.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) at: Duration,
    pub(super) cpus: f64,
    pub(super) memory_bytes: u64,
    pub(super) loads: [f64; 3],
    /// user, system, idle, iowait, steal, in ticks.
    pub(super) ticks: [f64; 5],
    pub(super) cpu: Stall,
    pub(super) io_some: Stall,
    pub(super) io_full: Stall,
    pub(super) memory_some: Stall,
    pub(super) memory_full: Stall,
    pub(super) major_faults: f64,
    pub(super) reads: f64,
    pub(super) writes: f64,
    pub(super) sectors_read: f64,
    pub(super) sectors_written: f64,
    pub(super) disk_busy_millis: f64,
    pub(super) disk_queue_millis: f64,
    pub(super) request_millis: f64,
    pub(super) retransmits: f64,
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
            cpu: Stall::default(),
            io_some: Stall::default(),
            io_full: Stall::default(),
            memory_some: Stall::default(),
            memory_full: Stall::default(),
            major_faults: 1000.0,
            reads: 10_000.0,
            writes: 50_000.0,
            sectors_read: 800_000.0,
            sectors_written: 2_000_000.0,
            disk_busy_millis: 60_000.0,
            disk_queue_millis: 90_000.0,
            request_millis: 80_000.0,
            retransmits: 40.0,
            kubelet_cpu: 60.0,
            kubelet_wait: 4.0,
            kubelet_faults: 20.0,
            kubelet_pid: None,
        }
    }

    /// Lets the host live as `figures` say from the last call until `now`.
    pub(super) fn advance(&mut self, now: Duration, figures: &Figures) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        for (load, window) in self.loads.iter_mut().zip([60.0, 300.0, 900.0]) {
            approach(load, figures.runnable + figures.blocked, seconds, window);
        }
        let cpu = figures.cpu;
        let idle = (1.0 - cpu.user - cpu.system - cpu.iowait - cpu.steal).max(0.0);
        let shares = [cpu.user, cpu.system, idle, cpu.iowait, cpu.steal];
        for (ticks, share) in self.ticks.iter_mut().zip(shares) {
            *ticks += share * seconds * self.cpus * TICKS;
        }
        let pressure = figures.pressure;
        self.cpu.advance(pressure.cpu_some, seconds);
        self.io_some.advance(pressure.io_some, seconds);
        self.io_full.advance(pressure.io_full, seconds);
        self.memory_some.advance(pressure.memory_some, seconds);
        self.memory_full.advance(pressure.memory_full, seconds);
        self.major_faults += figures.major_faults_per_second * seconds;
        self.retransmits += figures.retransmits_per_second * seconds;

        let disk = figures.disk;
        // Little's law: the queue is the rate times the time of a request.
        let requests = disk.queue / disk.request_time.as_secs_f64().max(1e-6) * seconds;
        self.reads += 0.3 * requests;
        self.writes += 0.7 * requests;
        self.request_millis += requests * disk.request_time.as_secs_f64() * 1000.0;
        self.sectors_read += disk.read_bytes_per_second * seconds / 512.0;
        self.sectors_written += disk.written_bytes_per_second * seconds / 512.0;
        self.disk_busy_millis += disk.busy.min(1.0) * seconds * 1000.0;
        self.disk_queue_millis += disk.queue * seconds * 1000.0;

        if let Some(process) = figures.kubelet {
            if self.kubelet_pid.is_some_and(|pid| pid != process.pid) {
                (self.kubelet_cpu, self.kubelet_wait, self.kubelet_faults) = (0.0, 0.0, 0.0);
            }
            self.kubelet_cpu += process.cores * seconds;
            self.kubelet_wait += process.run_queue_wait * seconds;
            self.kubelet_faults += 0.1 * figures.major_faults_per_second * seconds;
        }
        self.kubelet_pid = figures.kubelet.map(|process| process.pid);
    }
}
