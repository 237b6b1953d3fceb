//! The agent on this machine's own kernel: what it samples agrees with what the machine's own tools say.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nodegrace_proto::v1::{Outcome, Pressure, Sample, Source, SourceReport};
use nodegrace_sim_cluster::api::Access;

use super::{daemons::MeasuredNode, programs::output_of};

#[tokio::test]
async fn a_sample_of_this_machine_agrees_with_its_own_tools() -> anyhow::Result<()> {
    let mut node = MeasuredNode::start(Access::default(), &[]).await?;
    // Rates and shares need two samples.
    node.next_sample().await?;
    let sample = node.next_sample().await?;

    for source in [Source::Load, Source::Cpu, Source::Memory, Source::Disk] {
        assert_eq!(outcome(&sample, source), Outcome::Ok, "{source:?}");
    }
    agrees_on_load(&sample)?;
    agrees_on_cpus(&sample)?;
    agrees_on_memory(&sample)?;
    shares_add_up(&sample);
    agrees_on_pressure(&sample)?;
    // Absent is said, not guessed: there is no socket here, and no kubelet.
    assert_eq!(outcome(&sample, Source::Runtime), Outcome::Absent);
    assert_eq!(outcome(&sample, Source::KubeletProcess), Outcome::Absent);
    Ok(())
}

fn outcome(sample: &Sample, source: Source) -> Outcome {
    let report = sample.sources.iter().find(|it| it.source() == source);
    report.map_or(Outcome::Unspecified, SourceReport::outcome)
}

fn agrees_on_load(sample: &Sample) -> anyhow::Result<()> {
    let load = sample.load.context("no load")?;
    let loadavg = fs::read_to_string("/proc/loadavg")?;
    let fields: Vec<&str> = loadavg.split_whitespace().collect();
    // It changes between the two looks; the kernel moves load1 by at most a twelfth of the runnable tasks every 5 s.
    near(load.load1, fields[0].parse()?, 4.0, "load1");
    near(load.load15, fields[2].parse()?, 1.0, "load15");
    let tasks = fields[3].split('/').nth(1).context("no count of tasks")?;
    near(f64::from(load.tasks), tasks.parse()?, 200.0, "tasks");
    Ok(())
}

fn agrees_on_cpus(sample: &Sample) -> anyhow::Result<()> {
    let load = sample.load.context("no load")?;
    let online: u32 = output_of("nproc", ["--all"])?.trim().parse()?;
    assert_eq!(load.cpus, Some(online));
    Ok(())
}

fn agrees_on_memory(sample: &Sample) -> anyhow::Result<()> {
    let memory = sample.memory.context("no memory")?;
    // Second line: Mem: total used free shared buff/cache available.
    let free = output_of("free", ["--bytes"])?;
    let fields: Vec<&str> = free
        .lines()
        .nth(1)
        .context("free says nothing")?
        .split_whitespace()
        .collect();
    let (total, available): (u64, u64) = (fields[1].parse()?, fields[6].parse()?);
    assert_eq!(memory.total_bytes, total);
    let seen = memory.available_bytes.context("no available memory")?;
    near(
        seen as f64,
        available as f64,
        total as f64 / 4.0,
        "available memory",
    );
    Ok(())
}

fn shares_add_up(sample: &Sample) {
    let cpu = sample.cpu.expect("the second sample has shares");
    let sum =
        cpu.user_ratio + cpu.system_ratio + cpu.iowait_ratio + cpu.steal_ratio + cpu.idle_ratio;
    near(sum, 1.0, 0.01, "the sum of the shares");
    let interval: Duration = cpu
        .interval
        .expect("shares of some time")
        .try_into()
        .expect("not negative");
    near(
        interval.as_secs_f64(),
        10.0,
        5.0,
        "the time between samples",
    );
}

fn agrees_on_pressure(sample: &Sample) -> anyhow::Result<()> {
    let Ok(cpu) = fs::read_to_string("/proc/pressure/cpu") else {
        // A kernel without PSI.
        assert_eq!(outcome(sample, Source::Pressure), Outcome::Absent);
        return Ok(());
    };
    let Some(Pressure {
        cpu: Some(seen), ..
    }) = sample.pressure
    else {
        panic!("no pressure of the CPU: {:?}", sample.pressure);
    };
    let total = cpu
        .split_whitespace()
        .find_map(|field| field.strip_prefix("total="));
    let now = Duration::from_micros(total.context("no total")?.parse()?);
    let then: Duration = seen.some_total.context("no total")?.try_into()?;
    assert!(then <= now, "the total only grows: {then:?}, then {now:?}");
    assert!(
        now - then < Duration::from_secs(60),
        "{then:?}, then {now:?}"
    );
    Ok(())
}

#[track_caller]
fn near(seen: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (seen - expected).abs() <= tolerance,
        "{what}: the agent says {seen}, the machine {expected}"
    );
}
