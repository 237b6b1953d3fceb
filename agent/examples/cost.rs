//! What sampling costs on this machine: `cargo run --release -p nodegrace-agent --example cost`.
//!
//! Reads this machine's own /proc and /sys, with this process as its kubelet, which is given as many threads as one has. Prints
//! the processor time of a sample of either series, and what that makes of a core, without and with heartbeats that are late.

use std::{collections::BTreeMap, sync::Barrier, thread, time::Duration};

use nodegrace_agent::{Config, HostFiles, KubeletProcessName, Series};
use nodegrace_clock::Clock;
use prost::Message as _;
use rustix::time::{ClockId, clock_gettime};

/// Threads of a kubelet with some hundred pods.
const THREADS: usize = 60;
/// Samples that the figures are means of.
const SAMPLES: u32 = 500;
/// Seconds between two samples as they are always taken.
const INTERVAL: f64 = 10.0;
/// Share of the time in which a heartbeat is late, for the figure that has any: with one of twenty late by a whole period,
/// a node on the way to be told from others by it.
const LATE_SHARE: f64 = 0.05;

/// What one sample costs.
struct Cost {
    cpu: Duration,
    bytes: usize,
    /// Time that reading took, by source.
    sources: BTreeMap<&'static str, Duration>,
}

fn main() -> anyhow::Result<()> {
    let pid_file = tempfile::NamedTempFile::new()?;
    std::fs::write(pid_file.path(), std::process::id().to_string())?;
    let mut config = Config::new("this-machine");
    config.kubelet_process = KubeletProcessName::PidFile(pid_file.path().into());

    let done = Barrier::new(THREADS);
    thread::scope(|scope| {
        for _ in 1..THREADS {
            scope.spawn(|| done.wait());
        }
        report(&config);
        done.wait();
    });
    Ok(())
}

fn report(config: &Config) {
    let clock = Clock::real();
    let mut host = HostFiles::new(config);
    let before = resident_kib();
    let usual = measure(&mut host, &mut Series::usual(), &clock);
    let without = resident_kib();
    let fine = measure(&mut host, &mut Series::fine(), &clock);
    let with = resident_kib();

    println!("a kubelet of {THREADS} threads      CPU in µs      bytes");
    for (name, cost) in [("sample every 10 s", &usual), ("fine sample", &fine)] {
        let micros = cost.cpu.as_secs_f64() * 1e6;
        println!("{name:<28}{micros:>11.0}{:>11}", cost.bytes);
    }
    println!("\nof a sample every 10 s        time in µs");
    for (source, took) in &usual.sources {
        println!("{source:<28}{:>11.0}", took.as_secs_f64() * 1e6);
    }
    let usually = usual.cpu.as_secs_f64() / INTERVAL;
    let while_late = fine.cpu.as_secs_f64();
    println!("\nof the host's files               ms in 10 s   % of a core");
    for (name, share) in [
        ("no heartbeat late", 0.0),
        ("late 5 % of the time", LATE_SHARE),
        ("while one is late", 1.0),
    ] {
        let cores = usually + share * while_late;
        println!("{name:<33}{:>11.2}{:>14.4}", cores * 1e4, cores * 100.0);
    }
    println!(
        "\nresident memory: {before} KiB before, {without} KiB with one series, {with} KiB with both"
    );
}

/// Takes many samples of a series, encoded as the journal does.
fn measure(host: &mut HostFiles, series: &mut Series, clock: &Clock) -> Cost {
    // The first one finds the kubelet and has no rates.
    series.take(host, clock, None);
    let mut sources = BTreeMap::<_, Duration>::new();
    let mut bytes = 0;
    let start = cpu_time();
    for _ in 0..SAMPLES {
        let sample = series.take(host, clock, None);
        bytes = sample.encode_to_vec().len();
        for report in &sample.sources {
            let took = report.took.and_then(|took| took.try_into().ok());
            *sources.entry(report.source().as_str_name()).or_default() +=
                took.unwrap_or(Duration::ZERO) / SAMPLES;
        }
    }
    let cpu = (cpu_time() - start) / SAMPLES;
    Cost {
        cpu,
        bytes,
        sources,
    }
}

/// Processor time that this process used.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

/// Memory that this process holds, in KiB. 0 where the kernel does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}
