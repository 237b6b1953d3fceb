//! What each effect leaves on the machine, with all that goes along with it: a disk that stands still makes the load rise and
//! the runtime slow, want of memory makes the disk busy, and so on. What several spells leave is the worst of each.
//!
//! The magnitudes are those of machines in such trouble, drawn by the strength of the spell; they are chosen for likeness to
//! what a kernel shows, whoever reads it.

use std::time::Duration;

use rand::{Rng, rngs::StdRng};

use super::{
    effect::Effect,
    figures::{Answers, Figures, Network, Process},
    trouble::{Spell, log_normal},
};

/// Adds what a spell shows at a moment on a machine with so many processors.
pub(super) fn show(spell: Spell, at: Duration, cpus: f64, figures: &mut Figures) {
    let strength = spell.strength();
    let passed = at.saturating_sub(spell.start).as_secs_f64();
    match spell.effect {
        Effect::Starved => starved(figures, strength, cpus),
        Effect::Throttled => throttled(figures, strength),
        Effect::Stolen => stolen(figures, strength, cpus),
        Effect::IoStalled => io_stalled(figures, strength),
        Effect::MemoryPressure => memory_pressure(figures, strength, cpus),
        Effect::Stopped => process(figures, |process| process.state = 'T'),
        Effect::Gone => figures.kubelet = None,
        Effect::SlowRuntime(factor) => slow_calls(figures, factor),
        Effect::RuntimeHung => figures.runtime.answers = Answers::Never,
        Effect::RuntimeDown => figures.runtime.answers = Answers::Refused,
        Effect::ApiErrors(code) => figures.requests.code = Some(code),
        // They write as well, and wait longer than a heartbeat would.
        Effect::ApiSlow => figures.requests.took = Duration::from_secs_f64(6.5 + 2.5 * strength),
        Effect::Disconnected => {
            unanswered(figures);
            dead_connections(&mut figures.network, 1.0 + strength, passed);
        }
        Effect::Isolated => {
            unanswered(figures);
            figures.network.segments_per_second *= 0.05;
            figures.pod_network.segments_per_second *= 0.3;
            // And everybody tries to connect anew.
            for (network, connections, attempts) in [
                (&mut figures.network, 12.0 + 25.0 * strength, 0.4 + strength),
                (&mut figures.pod_network, 2.0, 0.3),
            ] {
                dead_connections(network, connections, passed);
                network.retransmits_per_second += attempts;
                network.timeouts_per_second += attempts;
            }
        }
        Effect::Lossy => {
            raise(
                &mut figures.network.retransmits_per_second,
                15.0 + 40.0 * strength,
            );
            raise(
                &mut figures.network.timeouts_per_second,
                1.0 + 4.0 * strength,
            );
            let pod = &mut figures.pod_network;
            raise(&mut pod.retransmits_per_second, 0.3 + 0.6 * strength);
            raise(&mut pod.timeouts_per_second, 0.1 + 0.3 * strength);
        }
        Effect::Paused | Effect::Suspended | Effect::Rebooted => figures.moves = false,
        Effect::Mute | Effect::ClockStep(_) => {}
    }
}

fn starved(figures: &mut Figures, strength: f64, cpus: f64) {
    raise(&mut figures.runnable, cpus * (4.0 + 4.0 * strength));
    raise(&mut figures.held, 0.3 + 0.4 * strength);
    raise(&mut figures.cpu.user, 0.78 + 0.06 * strength);
    raise(&mut figures.cpu.system, 0.13);
    raise(&mut figures.pressure.cpu_some, 0.85 + 0.14 * strength);
    raise(&mut figures.cgroup.pressure.cpu_some, 0.95);
    raise(&mut figures.cgroup.pressure.cpu_full, 0.7 + 0.25 * strength);
    process(figures, |process| {
        lower(&mut process.cores, 0.03);
        raise(&mut process.run_queue_wait, 1.2 + 3.0 * strength);
        worsen(process, 'R');
    });
    slow_calls(figures, 3.0 + 12.0 * strength);
}

/// Tasks on a throttled run queue still wait for a processor by the kernel's books: the pressure of the group and of the
/// machine rise, and so does the wait of the threads, while the machine idles.
fn throttled(figures: &mut Figures, strength: f64) {
    let cgroup = &mut figures.cgroup;
    let quota = *cgroup.quota_cores.get_or_insert(0.1);
    // The kernel's default period is 100 ms.
    raise(&mut cgroup.periods_per_second, 10.0);
    raise(&mut cgroup.throttled_periods, 0.8 + 0.19 * strength);
    raise(&mut cgroup.throttled, 0.8 + 1.5 * strength);
    raise(&mut cgroup.pressure.cpu_some, 0.9 + 0.09 * strength);
    raise(&mut cgroup.pressure.cpu_full, 0.8 + 0.15 * strength);
    raise(&mut figures.pressure.cpu_some, 0.4 + 0.5 * strength);
    process(figures, |process| {
        process.cores = quota;
        raise(&mut process.run_queue_wait, 0.8 + 2.0 * strength);
        worsen(process, 'R');
    });
}

fn stolen(figures: &mut Figures, strength: f64, cpus: f64) {
    raise(&mut figures.runnable, cpus * (0.8 + strength));
    raise(&mut figures.held, 0.35 + 0.4 * strength);
    raise(&mut figures.cpu.steal, 0.55 + 0.35 * strength);
    raise(&mut figures.pressure.cpu_some, 0.35 + 0.4 * strength);
    raise(&mut figures.cgroup.pressure.cpu_some, 0.4 + 0.4 * strength);
    process(figures, |process| {
        lower(&mut process.cores, 0.04);
        raise(&mut process.run_queue_wait, 0.3 + 0.8 * strength);
        worsen(process, 'R');
    });
    slow_calls(figures, 2.0 + 6.0 * strength);
}

/// In the weaker half of the cases the disk finishes a request now and then, in the other none.
fn io_stalled(figures: &mut Figures, strength: f64) {
    let disk = &mut figures.disk;
    raise(&mut disk.busy, 1.0);
    raise(&mut disk.queue, 20.0 + 60.0 * strength);
    let finishes = (12.0 * (0.5 - strength)).max(0.0);
    disk.requests_per_second = finishes;
    disk.request_time = Duration::from_secs_f64(2.0 + 6.0 * strength);
    disk.read_bytes_per_second = 4096.0 * finishes;
    disk.written_bytes_per_second = 16_384.0 * finishes;
    figures.blocked += 10.0 + 40.0 * strength;
    figures.cpu.user *= 0.6;
    raise(&mut figures.held, 0.05 + 0.1 * strength);
    raise(&mut figures.cpu.iowait, 0.25 + 0.5 * strength);
    raise(&mut figures.pressure.io_some, 0.9 + 0.1 * strength);
    // Less where others find something to do on the processors meanwhile.
    let idle = 1.0 - figures.cpu.user;
    raise(&mut figures.pressure.io_full, 0.3 + 0.65 * strength * idle);
    raise(&mut figures.cgroup.pressure.io_some, 0.97);
    raise(&mut figures.cgroup.pressure.io_full, 0.85 + 0.12 * strength);
    process(figures, |process| {
        lower(&mut process.cores, 0.01);
        let threads = (2.0 + 3.0 * strength).round() as u32;
        process.uninterruptible = process.uninterruptible.max(threads);
        worsen(process, 'D');
    });
    slow_calls(figures, 30.0 + 300.0 * strength);
}

/// Who waits for a page that was reclaimed waits for the disk as well.
fn memory_pressure(figures: &mut Figures, strength: f64, cpus: f64) {
    let memory = &mut figures.memory;
    lower(&mut memory.available_ratio, 0.04 - 0.03 * strength);
    raise(
        &mut memory.major_faults_per_second,
        800.0 + 4000.0 * strength,
    );
    raise(
        &mut memory.direct_reclaims_per_second,
        300.0 + 3000.0 * strength,
    );
    raise(&mut memory.oom_kills_per_second, 0.025 * strength);
    let pressure = &mut figures.pressure;
    raise(&mut pressure.memory_some, 0.6 + 0.35 * strength);
    raise(&mut pressure.memory_full, 0.3 + 0.45 * strength);
    raise(&mut pressure.io_some, 0.4 + 0.45 * strength);
    raise(&mut pressure.io_full, 0.2 + 0.4 * strength);
    raise(&mut pressure.cpu_some, 0.2 + 0.3 * strength);
    let group = &mut figures.cgroup.pressure;
    raise(&mut group.memory_some, 0.8 + 0.15 * strength);
    raise(&mut group.memory_full, 0.7 + 0.2 * strength);
    raise(&mut group.io_some, 0.55 + 0.3 * strength);
    raise(&mut group.io_full, 0.5 + 0.3 * strength);
    raise(&mut group.cpu_some, 0.2 + 0.2 * strength);
    raise(&mut figures.cpu.system, 0.25 + 0.3 * strength);
    raise(&mut figures.cpu.iowait, 0.1 + 0.25 * strength);
    raise(&mut figures.held, 0.2 + 0.4 * strength);
    figures.runnable += cpus * (0.5 + strength);
    figures.blocked += 6.0 + 20.0 * strength;
    let disk = &mut figures.disk;
    raise(&mut disk.busy, 0.6 + 0.39 * strength);
    raise(&mut disk.queue, 8.0 + 25.0 * strength);
    if disk.requests_per_second > 20.0 {
        raise(&mut disk.requests_per_second, 1500.0 + 2500.0 * strength);
        disk.request_time = Duration::from_secs_f64(disk.queue / disk.requests_per_second);
        raise(&mut disk.read_bytes_per_second, 8e7 + 2e8 * strength);
    }
    process(figures, |process| {
        lower(&mut process.cores, 0.05);
        raise(&mut process.run_queue_wait, 0.2 + 0.6 * strength);
        raise(
            &mut process.major_faults_per_second,
            30.0 + 250.0 * strength,
        );
        let threads = (1.0 + 2.0 * strength).round() as u32;
        process.uninterruptible = process.uninterruptible.max(threads);
        worsen(process, 'D');
    });
    slow_calls(figures, 10.0 + 60.0 * strength);
}

/// Connections whose peer does not answer send again after 0.2 s, 0.4 s, 0.8 s and so on: the longer it lasts, the fewer.
fn dead_connections(network: &mut Network, connections: f64, passed: f64) {
    let rate = connections / (std::f64::consts::LN_2 * (passed + 0.3));
    network.retransmits_per_second += rate;
    network.timeouts_per_second += rate;
}

fn unanswered(figures: &mut Figures) {
    figures.requests.code = None;
    // Until the client gives up.
    figures.requests.took = Duration::from_secs(10);
}

fn slow_calls(figures: &mut Figures, factor: f64) {
    for call in figures.runtime.calls_mut() {
        *call = call.mul_f64(factor);
    }
}

/// Makes the figures of all spells together ones that can be, and lets the threads of the kubelet vary.
pub(super) fn settle(figures: &mut Figures, noise: &mut StdRng) {
    let cpu = &mut figures.cpu;
    cpu.steal = cpu.steal.min(0.95);
    let busy = cpu.user + cpu.system;
    let fit = ((1.0 - cpu.steal) / busy).min(1.0);
    cpu.user *= fit;
    cpu.system *= fit;
    let idle = 1.0 - cpu.steal - cpu.user - cpu.system;
    cpu.iowait = cpu.iowait.min(0.98 * idle).max(0.0);
    figures.disk.busy = figures.disk.busy.min(1.0);
    for pressure in [&mut figures.pressure, &mut figures.cgroup.pressure] {
        for (some, full) in [
            (&mut pressure.cpu_some, &mut pressure.cpu_full),
            (&mut pressure.io_some, &mut pressure.io_full),
            (&mut pressure.memory_some, &mut pressure.memory_full),
        ] {
            *some = (*some * log_normal(noise, 1.0, 0.03)).min(1.0);
            *full = full.min(*some);
        }
    }
    process(figures, |process| match process.state {
        // What is stopped waits for nothing.
        'T' => {
            process.cores = 0.0;
            process.run_queue_wait = 0.0;
            process.uninterruptible = 0;
            process.major_faults_per_second = 0.0;
        }
        // The first thread is one of many, and mostly sleeps.
        'D' | 'R' if noise.random_bool(0.5) => process.state = 'S',
        _ => {}
    });
}

fn process(figures: &mut Figures, change: impl FnOnce(&mut Process)) {
    if let Some(process) = &mut figures.kubelet {
        change(process);
    }
}

/// The state that says more: stopped, then waiting for IO, then runnable.
fn worsen(process: &mut Process, state: char) {
    let rank = |state| match state {
        'T' => 3,
        'D' => 2,
        'R' => 1,
        _ => 0,
    };
    if rank(state) > rank(process.state) {
        process.state = state;
    }
}

fn raise(figure: &mut f64, to: f64) {
    *figure = figure.max(to);
}

fn lower(figure: &mut f64, to: f64) {
    *figure = figure.min(to);
}
