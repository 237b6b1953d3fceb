//! How a node's trouble looks from the outside: figures that go with its kind and with the spells in force.

use std::time::Duration;

use rand::Rng;

use super::{
    figures::{Cpu, Disk, Figures, Pressure, Process, Runtime},
    machine::Kubelet,
    spec::Kind,
    trouble::{Effect, log_normal},
};

impl Kubelet {
    /// The node's figures now. Their noise has a source of its own, so that looking changes no heartbeat.
    pub fn figures(&mut self) -> Figures {
        let mut figures = self.usual();
        let effects: Vec<Effect> = self.trouble.effects().collect();
        for effect in effects {
            self.apply(effect, &mut figures);
        }
        figures
    }

    /// The figures of a node of this size that has no trouble.
    fn calm(&mut self) -> Figures {
        let cpus = f64::from(self.spec.cpus);
        let mut noise = || log_normal(&mut self.noise, 1.0, 0.15);
        let millis = |millis: f64| Duration::from_secs_f64(millis / 1000.0);
        let objects = f64::from(self.spec.running_containers + self.spec.dead_containers);
        Figures {
            runnable: 0.3 * cpus * noise(),
            blocked: 0.1 * noise(),
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
                memory_some: 0.0,
                memory_full: 0.0,
            },
            memory_available_ratio: 0.55,
            major_faults_per_second: 0.5 * noise(),
            disk: Disk {
                busy: 0.05 * noise(),
                queue: 0.08 * noise(),
                request_time: millis(1.2 * noise()),
                read_bytes_per_second: 4e5 * noise(),
                written_bytes_per_second: 2e6 * noise(),
            },
            retransmits_per_second: 0.1 * noise(),
            kubelet: Some(Process {
                pid: self.pid,
                started: self.started,
                state: 'S',
                cores: 0.08 * noise(),
                run_queue_wait: 0.01 * noise(),
                resident_bytes: 110 << 20,
            }),
            runtime: Runtime {
                running_containers: self.spec.running_containers,
                dead_containers: self.spec.dead_containers,
                ready_sandboxes: self.spec.pods,
                images: self.spec.images,
                version: millis(1.0 * noise()),
                status: millis(2.0 * noise()),
                list_sandboxes: millis((1.0 + 0.02 * f64::from(self.spec.pods)) * noise()),
                list_containers: millis((1.0 + 0.03 * objects) * noise()),
                list_images: millis((2.0 + 0.06 * f64::from(self.spec.images)) * noise()),
            },
            api_put: millis(7.0 * noise()),
        }
    }

    /// The figures that go with the node's kind, without a spell of trouble.
    fn usual(&mut self) -> Figures {
        let mut figures = self.calm();
        let cpus = f64::from(self.spec.cpus);
        let stress = 1.0 + 0.25 * self.stress.clamp(-2.0, 2.0);
        let work = self.last_work.as_secs_f64();
        let millis = |millis: f64| Duration::from_secs_f64(millis / 1000.0);
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
                };
                figures.memory_available_ratio = 0.12;
                figures.major_faults_per_second = 60.0 * stress;
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

    /// What a spell does to the figures.
    fn apply(&mut self, effect: Effect, figures: &mut Figures) {
        match effect {
            Effect::Starved => {
                figures.runnable = 6.0 * f64::from(self.spec.cpus);
                figures.cpu = Cpu {
                    user: 0.82,
                    system: 0.14,
                    iowait: 0.0,
                    steal: 0.03,
                };
                figures.pressure.cpu_some = 0.96;
                kubelet(figures, 0.02, 4.5, 200 << 20);
                set_state(figures, 'R');
            }
            Effect::Stopped => {
                kubelet(figures, 0.0, 0.0, 110 << 20);
                set_state(figures, 'T');
            }
            Effect::Gone => figures.kubelet = None,
            Effect::Disconnected => {
                figures.retransmits_per_second = 4.0;
                figures.api_put = Duration::from_secs(10);
            }
            Effect::Lossy => {
                figures.retransmits_per_second = 25.0;
                figures.api_put = Duration::from_secs_f64(self.noise.random_range(1.0..8.0));
            }
            Effect::SlowRuntime(factor) => {
                let runtime = &mut figures.runtime;
                for call in [
                    &mut runtime.version,
                    &mut runtime.status,
                    &mut runtime.list_sandboxes,
                    &mut runtime.list_containers,
                    &mut runtime.list_images,
                ] {
                    *call = call.mul_f64(factor);
                }
            }
            Effect::ClockStep(_) | Effect::RuntimeDown => {}
        }
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

fn set_state(figures: &mut Figures, state: char) {
    if let Some(process) = &mut figures.kubelet {
        process.state = state;
    }
}
