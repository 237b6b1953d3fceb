//! A sample in the core's slim form: what causes are judged by.

use std::time::Duration;

use nodegrace_core::{
    WallTime,
    cause::{Facts, Figure, Figures, KubeletSight, Source, Sources},
    snapshot::Count,
};
use nodegrace_proto::{prost_types, v1};

use crate::wire;

/// Share of an interval in which a disk must have been busy to be called busy all the time: the kernel counts in ticks.
const ALL_THE_TIME: f64 = 0.99;

/// Seconds to which the kernel's count of each processor's time is exact: two ticks.
const TICKS: f64 = 0.02;

/// A sample that had to wait for longer than this until it was sent was taken while the agent could not reach the aggregator:
/// otherwise each is sent before the next one is taken.
const PROMPT: Duration = Duration::from_secs(10);

/// What `sample`, taken at these times and sent at `sent`, says.
pub(super) fn facts(sample: &v1::Sample, at: Duration, wall: WallTime, sent: Duration) -> Facts {
    let interval = seconds(sample.interval).map(Duration::from_secs_f64);
    let mut facts = Facts::new(at, wall, sample.fine, interval);
    (facts.read, facts.failed) = sources(&sample.sources);
    let covered = interval.map(|interval| interval.as_secs_f64());
    let figures = &mut facts.figures;
    let lateness = seconds(sample.lateness).zip(covered);
    figures.set_known(
        Figure::AgentLateness,
        lateness.map(|(late, covered)| late / covered.max(late)),
    );
    figures.set_known(Figure::MachineSuspended, seconds(sample.suspended));
    if let Some(load) = &sample.load {
        let cpus = load.cpus.filter(|cpus| *cpus > 0);
        let runnable = f64::from(load.runnable_tasks);
        figures.set_known(
            Figure::RunnablePerCpu,
            cpus.map(|cpus| runnable / f64::from(cpus)),
        );
    }
    if let Some(cpu) = &sample.cpu {
        processors(figures, cpu);
    }
    if let Some(pressure) = &sample.pressure {
        stalls(figures, pressure, HOST);
    }
    if let Some(memory) = &sample.memory {
        self::memory(figures, memory, covered);
    }
    disks(figures, &sample.disks);
    if let Some(process) = &sample.kubelet_process {
        kubelet(figures, process);
        facts.process = seconds(process.start_monotonic).map(|start| KubeletSight {
            start: Duration::from_secs_f64(start),
        });
    }
    if let Some(group) = &sample.kubelet_cgroup {
        figures.set_known(Figure::ThrottledPeriods, group.throttled_periods_ratio);
        figures.set_known(Figure::Throttled, group.throttled_ratio);
        if let Some(pressure) = &group.pressure {
            stalls(figures, pressure, KUBELET_CGROUP);
        }
    }
    if let Some(network) = &sample.network {
        self::network(figures, network, sent.saturating_sub(at) <= PROMPT);
    }
    if let Some(runtime) = &sample.runtime {
        self::runtime(figures, runtime);
    }
    figures.set_known(Figure::KubeletUnanswered, unanswered(sample));
    if let Some(metrics) = &sample.kubelet_metrics {
        kubelet_metrics(figures, metrics, covered);
        facts.renewals = metrics.renewals.as_ref().and_then(renewals);
        facts.metrics_start = metrics.start_time.and_then(|time| wire::time(time).ok());
    }
    facts
}

/// The kubelet's count. Absent: its times are none.
fn renewals(count: &v1::RenewalCount) -> Option<Count> {
    let time = |time: Option<prost_types::Duration>| wire::duration(time?).ok();
    Some(Count {
        asked: time(count.asked_monotonic)?,
        answered: time(count.answered_monotonic)?,
        renewals: count.renewals,
    })
}

/// Whether the kubelet left the question for its metrics unanswered: 1 or 0. Any answer is one, also that it may not be asked.
/// Absent: it was not asked for this sample, or it is not said how that failed.
fn unanswered(sample: &v1::Sample) -> Option<f64> {
    if let Some(metrics) = &sample.kubelet_metrics {
        return (!metrics.told_before).then_some(0.0);
    }
    let mut reports = sample.sources.iter();
    let report = reports.find(|report| report.source() == v1::Source::KubeletMetrics)?;
    match report.failure() {
        v1::Failure::Connection | v1::Failure::Timeout | v1::Failure::Pending => Some(1.0),
        v1::Failure::Forbidden | v1::Failure::ServerError | v1::Failure::Unreadable => Some(0.0),
        v1::Failure::Unspecified => None,
    }
}

/// Sources that were read, and those that could not be.
fn sources(reports: &[v1::SourceReport]) -> (Sources, Sources) {
    let (mut read, mut failed) = (Sources::NONE, Sources::NONE);
    for report in reports {
        let source = match report.source() {
            v1::Source::Load => Source::Load,
            v1::Source::Cpu => Source::Cpu,
            v1::Source::Pressure => Source::Pressure,
            v1::Source::Memory => Source::Memory,
            v1::Source::Disk => Source::Disk,
            v1::Source::KubeletProcess => Source::KubeletProcess,
            v1::Source::Runtime => Source::Runtime,
            v1::Source::KubeletMetrics => Source::KubeletMetrics,
            v1::Source::Network => Source::Network,
            v1::Source::KubeletCgroup => Source::KubeletCgroup,
            v1::Source::KubeletConfig | v1::Source::Unspecified => continue,
        };
        match report.outcome() {
            v1::Outcome::Ok => read.add(source),
            v1::Outcome::Error => failed.add(source),
            v1::Outcome::Absent | v1::Outcome::Unspecified => {}
        }
    }
    (read, failed)
}

/// Figures of one place that stalls are counted in: some of CPU, some and full of IO, some and full of memory.
type StallFigures = [Figure; 5];

const HOST: StallFigures = [
    Figure::PressureCpuSome,
    Figure::PressureIoSome,
    Figure::PressureIoFull,
    Figure::PressureMemorySome,
    Figure::PressureMemoryFull,
];

const KUBELET_CGROUP: StallFigures = [
    Figure::CgroupPressureCpuSome,
    Figure::CgroupPressureIoSome,
    Figure::CgroupPressureIoFull,
    Figure::CgroupPressureMemorySome,
    Figure::CgroupPressureMemoryFull,
];

fn stalls(figures: &mut Figures, pressure: &v1::Pressure, place: StallFigures) {
    let some =
        |stall: &Option<v1::PressureStall>| stall.as_ref().and_then(|s| seconds(s.some_total));
    let full =
        |stall: &Option<v1::PressureStall>| stall.as_ref().and_then(|s| seconds(s.full_total));
    let totals = [
        some(&pressure.cpu),
        some(&pressure.io),
        full(&pressure.io),
        some(&pressure.memory),
        full(&pressure.memory),
    ];
    for (figure, total) in place.into_iter().zip(totals) {
        figures.set_known(figure, total);
    }
}

fn processors(figures: &mut Figures, cpu: &v1::CpuShares) {
    figures.set(Figure::CpuIowait, cpu.iowait_ratio);
    figures.set(Figure::CpuSteal, cpu.steal_ratio);
    let interval = seconds(cpu.interval).filter(|interval| *interval > 0.0);
    let uncounted = cpu.counted_ratio.zip(interval).map(|(counted, interval)| {
        let uncounted = (1.0 - counted).max(0.0);
        // Taken for none, or else the ticks that are counted a sample late would be some, and those counted early none.
        if uncounted * interval > TICKS {
            uncounted
        } else {
            0.0
        }
    });
    figures.set_known(Figure::CpuUncounted, uncounted);
}

fn memory(figures: &mut Figures, memory: &v1::Memory, covered: Option<f64>) {
    let total = memory.total_bytes as f64;
    let available = memory.available_bytes.filter(|_| total > 0.0);
    figures.set_known(
        Figure::MemoryAvailable,
        available.map(|available| available as f64 / total),
    );
    figures.set_known(Figure::MajorFaults, memory.major_faults_per_second);
    figures.set_known(Figure::DirectReclaims, memory.direct_reclaims_per_second);
    let kills = memory.oom_kills.zip(covered);
    figures.set_known(
        Figure::OomKills,
        kills.map(|(kills, covered)| kills as f64 / covered),
    );
}

/// Of several disks the worst counts: what the kubelet waits for is on one of them.
fn disks(figures: &mut Figures, disks: &[v1::Disk]) {
    let worst = |of: fn(&v1::Disk) -> Option<f64>| disks.iter().filter_map(of).reduce(f64::max);
    figures.set_known(Figure::DiskBusy, worst(|disk| Some(disk.busy_ratio)));
    figures.set_known(
        Figure::DiskRequestTime,
        worst(|disk| seconds(disk.mean_request_time)),
    );
    let stands = worst(|disk| {
        let waiting = disk.in_flight.is_none_or(|requests| requests > 0);
        let nothing_finished = disk.mean_request_time.is_none();
        let stands = disk.busy_ratio >= ALL_THE_TIME && nothing_finished && waiting;
        Some(f64::from(u8::from(stands)))
    });
    figures.set_known(Figure::DiskStands, stands);
}

fn kubelet(figures: &mut Figures, process: &v1::KubeletProcess) {
    let flag = |set: bool| f64::from(u8::from(set));
    if !process.state.is_empty() {
        let stopped = process.state.starts_with(['T', 't']);
        figures.set(Figure::KubeletStopped, flag(stopped));
        let threads = process.uninterruptible_threads.unwrap_or_default();
        let waits = process.state.starts_with('D') || threads > 0;
        figures.set(Figure::KubeletWaitsForIo, flag(waits));
    }
    figures.set_known(Figure::KubeletCpu, process.cpu_cores);
    figures.set_known(Figure::KubeletRunQueueWait, process.run_queue_wait_ratio);
    figures.set_known(Figure::KubeletMajorFaults, process.major_faults_per_second);
}

/// In a network namespace of its own the agent has few connections, which take the node's network as well: to the API server, and
/// to the aggregator. What was lost while the latter was away says nothing of the former.
fn network(figures: &mut Figures, network: &v1::Network, prompt: bool) {
    let [retransmits, timeouts] = if network.host {
        [Figure::Retransmits, Figure::TcpTimeouts]
    } else if prompt {
        [Figure::AgentRetransmits, Figure::AgentTimeouts]
    } else {
        return;
    };
    let sent = network.segments_per_second;
    let again = network.retransmits_per_second;
    figures.set_known(retransmits, (sent > 0.0).then(|| again / sent));
    figures.set_known(timeouts, network.timeouts_per_second);
}

fn runtime(figures: &mut Figures, runtime: &v1::Runtime) {
    let count = |count: Option<u32>| count.map(f64::from);
    figures.set_known(Figure::RuntimeContainers, count(runtime.containers));
    figures.set_known(Figure::RuntimeImages, count(runtime.images));
    let calls = &runtime.calls;
    let slowest = calls.iter().filter_map(|call| seconds(call.took));
    figures.set_known(Figure::RuntimeCall, slowest.reduce(f64::max));
    if !calls.is_empty() {
        let failed = calls.iter().filter(|call| !call.error.is_empty()).count();
        figures.set(Figure::RuntimeFailed, failed as f64 / calls.len() as f64);
    }
}

fn kubelet_metrics(figures: &mut Figures, metrics: &v1::KubeletMetrics, covered: Option<f64>) {
    let mean = |latency: &v1::Latency| seconds(latency.mean);
    let operations = metrics.runtime_operations.iter().filter_map(mean);
    figures.set_known(Figure::RuntimeOperation, operations.reduce(f64::max));
    let relist = metrics.pleg_relist.as_ref().and_then(mean);
    figures.set_known(Figure::PlegRelist, relist);
    if let Some(put) = &metrics.api_put {
        figures.set_known(Figure::ApiPut, mean(put));
        let spent = put.calls as f64 * mean(put).unwrap_or_default();
        figures.set_known(Figure::ApiPutTime, covered.map(|covered| spent / covered));
    }
    let requests = metrics.api_requests.filter(|requests| *requests > 0);
    let share = |count: Option<u64>| {
        let (count, requests) = count.zip(requests)?;
        Some(count as f64 / requests as f64)
    };
    figures.set_known(Figure::ApiUnanswered, share(metrics.api_unanswered));
    figures.set_known(Figure::ApiRefused, share(metrics.api_refused));
}

/// A length in seconds. Absent: there is none, or it is no length.
fn seconds(length: Option<prost_types::Duration>) -> Option<f64> {
    let length = wire::duration(length?).ok()?;
    Some(length.as_secs_f64())
}

#[cfg(test)]
mod tests;
