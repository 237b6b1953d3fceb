//! How a node looks from the outside: figures that go with its kind, its habits and the spells in force.

use std::time::Duration;

use super::{
    figures::{
        Answers, Cgroup, Cpu, Disk, Figures, Memory, Network, Pressure, Process, Requests, Runtime,
    },
    habits::call_millis,
    machine::Kubelet,
    spec::Kind,
    traces,
    trouble::log_normal,
};

impl Kubelet {
    /// The node's figures at a moment, which may be some seconds ago. Their noise has a source of its own, so that looking
    /// changes no heartbeat.
    pub fn figures_at(&mut self, at: Duration) -> Figures {
        let mut figures = self.usual(at);
        for spell in self.trouble.spells_at(at) {
            traces::show(spell, at, f64::from(self.spec.cpus), &mut figures);
        }
        traces::settle(&mut figures, &mut self.noise);
        figures
    }

    /// The figures of a node of this size that has no trouble and hardly any work.
    fn calm(&mut self) -> Figures {
        let cpus = f64::from(self.spec.cpus);
        let mut noise = || log_normal(&mut self.noise, 1.0, 0.15);
        let calls = call_millis(&self.spec);
        Figures {
            moves: true,
            runnable: 0.3 * cpus * noise(),
            blocked: 0.1 * noise(),
            held: 0.0,
            cpu: Cpu {
                user: 0.18 * noise(),
                system: 0.06 * noise(),
                iowait: 0.01 * noise(),
                steal: 0.002 * noise(),
            },
            pressure: Pressure {
                cpu_some: 0.03 * noise(),
                io_some: 0.01 * noise(),
                io_full: 0.004 * noise(),
                ..Pressure::default()
            },
            memory: Memory {
                available_ratio: 0.55,
                major_faults_per_second: 0.5 * noise(),
                direct_reclaims_per_second: 0.0,
                oom_kills_per_second: 0.0,
            },
            disk: Disk {
                busy: 0.05 * noise(),
                queue: 0.08 * noise(),
                requests_per_second: 65.0 * noise(),
                request_time: millis(1.2 * noise()),
                read_bytes_per_second: 4e5 * noise(),
                written_bytes_per_second: 2e6 * noise(),
            },
            network: Network {
                segments_per_second: 300.0 * noise(),
                retransmits_per_second: 0.1 * noise(),
                timeouts_per_second: 0.0,
            },
            pod_network: Network {
                segments_per_second: 4.0 * noise(),
                retransmits_per_second: 0.0,
                timeouts_per_second: 0.0,
            },
            kubelet: Some(Process {
                pid: self.pid,
                started: self.started,
                state: 'S',
                uninterruptible: 0,
                cores: 0.08 * noise(),
                run_queue_wait: 0.01 * noise(),
                major_faults_per_second: 0.05 * noise(),
                resident_bytes: 110 << 20,
            }),
            cgroup: Cgroup {
                version: self.spec.cgroup_version,
                quota_cores: self.spec.cpu_quota_cores,
                periods_per_second: 4.0 * noise(),
                throttled_periods: 0.0,
                throttled: 0.0,
                pressure: Pressure {
                    cpu_some: 0.01 * noise(),
                    cpu_full: 0.01 * noise(),
                    ..Pressure::default()
                },
            },
            runtime: Runtime {
                running_containers: self.spec.running_containers,
                dead_containers: self.spec.dead_containers,
                ready_sandboxes: self.spec.pods,
                images: self.spec.images,
                answers: Answers::Always,
                version: millis(calls[0] * noise()),
                status: millis(calls[1] * noise()),
                list_sandboxes: millis(calls[2] * noise()),
                list_containers: millis(calls[3] * noise()),
                list_images: millis(calls[4] * noise()),
            },
            requests: Requests {
                per_second: 0.3 * noise(),
                code: Some(200),
                took: millis(6.0 * noise()),
            },
        }
    }

    /// The figures that go with the node's kind and habits, without a spell of trouble.
    fn usual(&mut self, at: Duration) -> Figures {
        let mut figures = self.calm();
        self.habits.add_to(&mut figures, at);
        let cpus = f64::from(self.spec.cpus);
        let stress = 1.0 + 0.25 * self.stress.clamp(-2.0, 2.0);
        let work = self.last_work.as_secs_f64();
        match self.spec.kind {
            Kind::Overloaded => {
                figures.runnable = 1.4 * cpus * stress;
                figures.blocked = 7.0 * stress;
                figures.cpu = Cpu {
                    user: 0.42,
                    system: 0.24,
                    iowait: 0.18 * stress,
                    steal: 0.003,
                };
                figures.pressure = Pressure {
                    cpu_some: 0.3 * stress,
                    io_some: 0.42 * stress,
                    io_full: 0.22 * stress,
                    memory_some: 0.06 * stress,
                    memory_full: 0.02,
                    ..Pressure::default()
                };
                figures.memory.available_ratio = 0.12;
                figures.memory.major_faults_per_second = 60.0 * stress;
                figures.memory.direct_reclaims_per_second = 4.0 * stress;
                figures.disk = busy_disk(
                    (0.78 * stress).min(0.99),
                    11.0 * stress,
                    millis(28.0 * stress),
                );
                slow_runtime(&mut figures.runtime, work);
                kubelet(&mut figures, 1.5 * stress, 0.4 * stress, 380 << 20);
            }
            Kind::SlowRuntime => {
                figures.blocked = 3.0 * stress;
                figures.cpu.iowait = 0.12 * stress;
                figures.pressure.io_some = 0.25 * stress;
                figures.pressure.io_full = 0.12 * stress;
                figures.disk = busy_disk(
                    (0.6 * stress).min(0.99),
                    5.0 * stress,
                    millis(17.0 * stress),
                );
                slow_runtime(&mut figures.runtime, work);
                kubelet(&mut figures, 0.5, 0.05, 260 << 20);
            }
            Kind::CpuStarved => {
                figures.runnable = 1.8 * cpus;
                figures.cpu.user = 0.68;
                figures.cpu.system = 0.14;
                figures.pressure.cpu_some = 0.4;
                kubelet(&mut figures, 0.3, 0.5, 200 << 20);
            }
            _ => {}
        }
        figures
    }
}

/// Shares of a status's time that went into each call to the runtime.
fn slow_runtime(runtime: &mut Runtime, work_seconds: f64) {
    let share = |share: f64| Duration::from_secs_f64(share * work_seconds);
    runtime.version = share(0.02);
    runtime.status = share(0.05);
    runtime.list_sandboxes = share(0.12);
    runtime.list_containers = share(0.2);
    runtime.list_images = share(0.35);
}

fn busy_disk(busy: f64, queue: f64, request_time: Duration) -> Disk {
    Disk {
        busy,
        queue,
        // Little's law: the queue is the rate times the time of a request.
        requests_per_second: queue / request_time.as_secs_f64(),
        request_time,
        read_bytes_per_second: 3e7,
        written_bytes_per_second: 6e7,
    }
}

fn kubelet(figures: &mut Figures, cores: f64, run_queue_wait: f64, resident_bytes: u64) {
    if let Some(process) = &mut figures.kubelet {
        process.cores = cores;
        process.run_queue_wait = run_queue_wait;
        process.resident_bytes = resident_bytes;
    }
}

fn millis(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1000.0)
}
