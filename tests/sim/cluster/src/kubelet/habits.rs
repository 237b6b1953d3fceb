//! What is usual on one node: every machine has its own idle load, and its own busy minutes that hurt nobody.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{figures::Figures, spec::NodeSpec, trouble::log_normal};

/// Mean time between two busy spells of the node's own work.
const BUSY_EVERY: f64 = 240.0;

/// A node's habits, drawn once, and what its own work does at the moment.
#[derive(Clone, Debug)]
pub(super) struct Habits {
    cpus: f64,
    /// Share of processor time that its pods use as a rule, and what waits for it.
    cpu: f64,
    cpu_some: f64,
    io_some: f64,
    memory_some: f64,
    available: f64,
    steal: f64,
    retransmits: f64,
    /// Connections of pods to peers that are gone, per second.
    timeouts: f64,
    /// Pods killed at their own memory limits, per second.
    oom_kills: f64,
    /// Share of moments at which some thread of the kubelet waits for a file system.
    blocked_thread: f64,
    /// Share of time in which an agent, which asked for next to no processor time, gets none.
    held: f64,
    run_queue_wait: f64,
    throttled_periods: f64,
    runtime: f64,
    /// What the calls to the runtime take that a status needs.
    status_seconds: f64,
    random: StdRng,
    at: Duration,
    busy: Option<Busy>,
}

/// What the calls to a quick runtime take, in milliseconds: `Version`, `Status`, `ListPodSandbox`, `ListContainers` and
/// `ListImages`. Lists take longer the more they hold.
pub(super) fn call_millis(spec: &NodeSpec) -> [f64; 5] {
    let containers = f64::from(spec.running_containers + spec.dead_containers);
    [
        1.0,
        2.0,
        1.0 + 0.02 * f64::from(spec.pods),
        1.0 + 0.03 * containers,
        2.0 + 0.06 * f64::from(spec.images),
    ]
}

/// A spell of work: a batch job, an image pulled, a log rotated.
#[derive(Clone, Copy, Debug)]
struct Busy {
    until: Duration,
    /// With the disk, or else with the processors.
    disk: bool,
    /// From 0 to 1.
    strength: f64,
}

impl Habits {
    pub(super) fn of(spec: &NodeSpec) -> Self {
        let mut random = StdRng::seed_from_u64(spec.seed ^ 0x6861_6269);
        // Most nodes are calm; some are never, and are healthy all the same.
        let mut often_low = |most: f64| most * random.random::<f64>().powi(3);
        let runtime = 1.0 + often_low(4.0);
        Self {
            cpus: f64::from(spec.cpus),
            cpu: often_low(0.45),
            cpu_some: often_low(0.65),
            io_some: often_low(0.25),
            memory_some: often_low(0.06),
            steal: often_low(0.08),
            retransmits: often_low(2.0),
            timeouts: often_low(0.15),
            oom_kills: often_low(0.005),
            blocked_thread: often_low(0.3),
            held: often_low(0.2),
            run_queue_wait: often_low(0.4),
            throttled_periods: often_low(0.15),
            runtime,
            status_seconds: runtime * call_millis(spec).iter().sum::<f64>() / 1000.0,
            available: random.random_range(0.12..0.7),
            random,
            at: Duration::ZERO,
            busy: None,
        }
    }

    /// How long the runtime keeps a status on a good day.
    pub(super) fn status_seconds(&self) -> f64 {
        self.status_seconds
    }

    /// Adds the node's habits to the figures of a calm one.
    pub(super) fn add_to(&mut self, figures: &mut Figures, now: Duration) {
        self.events(figures, now.saturating_sub(self.at).as_secs_f64());
        let mut noise = || log_normal(&mut self.random, 1.0, 0.2);
        figures.cpu.user += self.cpu * noise();
        figures.cpu.steal += self.steal * noise();
        figures.pressure.cpu_some += self.cpu_some * noise();
        figures.pressure.io_some += self.io_some * noise();
        figures.pressure.io_full += 0.4 * self.io_some * noise();
        figures.pressure.memory_some += self.memory_some * noise();
        figures.pressure.memory_full += 0.3 * self.memory_some * noise();
        figures.memory.available_ratio = self.available;
        figures.memory.major_faults_per_second += 200.0 * self.memory_some * noise();
        figures.memory.direct_reclaims_per_second += 40.0 * self.memory_some * noise();
        figures.cpu.iowait += 0.3 * self.io_some * noise();
        figures.disk.busy += self.io_some * noise();
        figures.disk.queue += self.io_some * noise();
        figures.disk.requests_per_second += 200.0 * self.io_some * noise();
        figures.network.retransmits_per_second += self.retransmits * noise();
        if figures.cgroup.quota_cores.is_some() {
            figures.cgroup.throttled_periods = self.throttled_periods * noise();
            figures.cgroup.throttled = 0.3 * figures.cgroup.throttled_periods;
        }
        if let Some(process) = &mut figures.kubelet {
            process.run_queue_wait += self.run_queue_wait * noise();
        }
        let runtime = &mut figures.runtime;
        for call in runtime.calls_mut() {
            *call = call.mul_f64(self.runtime);
        }
        self.work(figures, now);
    }

    /// What happens now and then: in the `seconds` since the last look a number of times, or not at all.
    fn events(&mut self, figures: &mut Figures, seconds: f64) {
        let random = &mut self.random;
        let mut rate = |per_second: f64| times(random, per_second * seconds) / seconds.max(1e-3);
        let timeouts = rate(self.timeouts);
        figures.network.timeouts_per_second += timeouts;
        figures.network.retransmits_per_second += timeouts;
        figures.memory.oom_kills_per_second += rate(self.oom_kills);
        figures.held += self.held;
        if let Some(process) = &mut figures.kubelet
            && self.random.random_bool(self.blocked_thread)
        {
            process.uninterruptible = 1;
        }
    }

    /// The node's own work of the moment.
    fn work(&mut self, figures: &mut Figures, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.busy = self.busy.filter(|busy| now < busy.until);
        let begins = 1.0 - (-seconds / BUSY_EVERY).exp();
        if self.busy.is_none() && self.random.random_bool(begins) {
            let length = Duration::from_secs_f64(self.random.random_range(3.0..40.0));
            self.busy = Some(Busy {
                until: now + length,
                disk: self.random.random(),
                strength: self.random.random(),
            });
        }
        let Some(Busy { disk, strength, .. }) = self.busy else {
            return;
        };
        if disk {
            figures.pressure.io_some += 0.4 * strength;
            figures.pressure.io_full += 0.15 * strength;
            figures.cpu.iowait += 0.15 * strength;
            figures.blocked += 3.0 * strength;
            if let Some(process) = &mut figures.kubelet
                && self.random.random_bool(0.3 * strength)
            {
                process.uninterruptible = 1;
            }
            figures.disk.busy += 0.7 * strength;
            figures.disk.queue += 4.0 * strength;
            figures.disk.requests_per_second += 900.0 * strength;
        } else {
            figures.held += 0.4 * strength;
            figures.cpu.user += 0.5 * strength;
            figures.pressure.cpu_some += 0.35 * strength;
            figures.runnable += self.cpus * strength;
            if let Some(process) = &mut figures.kubelet {
                process.run_queue_wait += 0.15 * strength;
            }
        }
    }
}

/// How many times something happens that happens `mean` times on average (Poisson, by counting exponential pauses).
fn times(random: &mut StdRng, mean: f64) -> f64 {
    let mut times = 0.0;
    let mut passed = -(1.0 - random.random::<f64>()).ln();
    while passed < mean {
        times += 1.0;
        passed -= (1.0 - random.random::<f64>()).ln();
    }
    times
}
