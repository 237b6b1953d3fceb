//! What a sample measured, as far as it must be a number: one that is none would spread through whatever is computed of it.

use nodegrace_proto::v1;

use crate::ingest::invalid::Invalid;

/// Checks that every figure of `sample` is a number.
///
/// # Errors
/// Names the part with the first figure that is none.
pub(super) fn check(sample: &v1::Sample) -> Result<(), Invalid> {
    finite("load", sample.load.iter().flat_map(load))?;
    finite("cpu", sample.cpu.iter().flat_map(cpu))?;
    finite("pressure", sample.pressure.iter().flat_map(pressure))?;
    finite("memory", sample.memory.iter().flat_map(memory))?;
    finite("disks", sample.disks.iter().flat_map(disk))?;
    finite(
        "kubelet_process",
        sample.kubelet_process.iter().flat_map(kubelet),
    )?;
    let cores = |metrics: &v1::KubeletMetrics| metrics.cpu_cores;
    finite(
        "kubelet_metrics",
        sample.kubelet_metrics.iter().filter_map(cores),
    )?;
    finite("network", sample.network.iter().flat_map(network))?;
    finite(
        "kubelet_cgroup",
        sample.kubelet_cgroup.iter().flat_map(cgroup),
    )
}

fn finite(field: &str, mut figures: impl Iterator<Item = f64>) -> Result<(), Invalid> {
    if figures.all(f64::is_finite) {
        Ok(())
    } else {
        Err(Invalid::new(field, "holds a figure that is no number"))
    }
}

fn load(load: &v1::Load) -> [f64; 3] {
    [load.load1, load.load5, load.load15]
}

fn cpu(cpu: &v1::CpuShares) -> [f64; 6] {
    [
        cpu.user_ratio,
        cpu.system_ratio,
        cpu.iowait_ratio,
        cpu.steal_ratio,
        cpu.idle_ratio,
        cpu.counted_ratio.unwrap_or_default(),
    ]
}

fn pressure(pressure: &v1::Pressure) -> impl Iterator<Item = f64> {
    let stalls = [&pressure.cpu, &pressure.io, &pressure.memory];
    stalls.into_iter().flatten().flat_map(|stall| {
        [
            stall.some_avg10_ratio,
            stall.some_avg60_ratio,
            stall.full_avg10_ratio.unwrap_or_default(),
        ]
    })
}

fn memory(memory: &v1::Memory) -> impl Iterator<Item = f64> {
    let figures = [
        memory.major_faults_per_second,
        memory.direct_reclaims_per_second,
    ];
    figures.into_iter().flatten()
}

fn disk(disk: &v1::Disk) -> [f64; 4] {
    [
        disk.busy_ratio,
        disk.mean_queue,
        disk.read_bytes_per_second,
        disk.written_bytes_per_second,
    ]
}

fn kubelet(process: &v1::KubeletProcess) -> impl Iterator<Item = f64> {
    let figures = [
        process.cpu_cores,
        process.run_queue_wait_ratio,
        process.major_faults_per_second,
    ];
    figures.into_iter().flatten()
}

fn network(network: &v1::Network) -> [f64; 3] {
    [
        network.segments_per_second,
        network.retransmits_per_second,
        network.timeouts_per_second.unwrap_or_default(),
    ]
}

fn cgroup(cgroup: &v1::KubeletCgroup) -> impl Iterator<Item = f64> {
    let figures = [
        cgroup.cpu_limit_cores,
        cgroup.throttled_periods_ratio,
        cgroup.throttled_ratio,
    ];
    let pressure = cgroup.pressure.iter().flat_map(pressure);
    figures.into_iter().flatten().chain(pressure)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of a sample that is damaged, and how.
    type Damage = (&'static str, fn(&mut v1::Sample));

    #[test]
    fn a_figure_that_is_no_number_is_refused_by_the_name_of_its_part() {
        let full = v1::Sample {
            load: Some(v1::Load::default()),
            cpu: Some(v1::CpuShares::default()),
            pressure: Some(v1::Pressure {
                io: Some(v1::PressureStall::default()),
                ..v1::Pressure::default()
            }),
            memory: Some(v1::Memory::default()),
            disks: vec![v1::Disk::default(); 2],
            kubelet_process: Some(v1::KubeletProcess::default()),
            kubelet_metrics: Some(v1::KubeletMetrics::default()),
            network: Some(v1::Network::default()),
            kubelet_cgroup: Some(v1::KubeletCgroup::default()),
            ..v1::Sample::default()
        };
        assert_eq!(check(&full), Ok(()));
        let damage: [Damage; 9] = [
            ("load", |s| s.load.as_mut().unwrap().load15 = f64::NAN),
            ("cpu", |s| {
                s.cpu.as_mut().unwrap().idle_ratio = f64::INFINITY;
            }),
            ("pressure", |s| {
                let pressure = s.pressure.as_mut().unwrap();
                pressure.io.as_mut().unwrap().full_avg10_ratio = Some(f64::NAN);
            }),
            ("memory", |s| {
                s.memory.as_mut().unwrap().major_faults_per_second = Some(f64::NEG_INFINITY);
            }),
            ("disks", |s| s.disks[1].mean_queue = f64::NAN),
            ("kubelet_process", |s| {
                s.kubelet_process.as_mut().unwrap().cpu_cores = Some(f64::NAN);
            }),
            ("kubelet_metrics", |s| {
                s.kubelet_metrics.as_mut().unwrap().cpu_cores = Some(f64::NAN);
            }),
            ("network", |s| {
                s.network.as_mut().unwrap().retransmits_per_second = f64::NAN;
            }),
            ("kubelet_cgroup", |s| {
                s.kubelet_cgroup.as_mut().unwrap().throttled_ratio = Some(f64::NAN);
            }),
        ];
        for (field, damage) in damage {
            let mut damaged = full.clone();
            damage(&mut damaged);
            let invalid = check(&damaged).expect_err(field);
            assert_eq!(invalid.field, field);
        }
    }
}
