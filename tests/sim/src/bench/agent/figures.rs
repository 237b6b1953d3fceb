//! The agent's figures beside the exporter's, and against their goals.

use std::time::Duration;

use super::{CONTAINERS, IMAGES, NODE_EXPORTER};
use crate::bench::{footprint::Memory, table::Table};

/// KiB in one.
const MIB: f64 = 1024.0;

/// What one of the two takes.
pub(super) struct Taken {
    pub(super) memory: Memory,
    /// Processor time in 10 s, in milliseconds.
    pub(super) cpu: f64,
    /// How many times it was given a processor in 10 s.
    pub(super) turns: f64,
}

/// The agent's program, in MiB.
pub(super) struct Size {
    pub(super) file: f64,
    pub(super) instructions: f64,
}

/// The table.
pub(super) fn table(
    agent: &Taken,
    exporter: &Taken,
    first: Duration,
    size: &Size,
    length: Duration,
) -> Table {
    let mut table = Table::new(
        format!(
            "One agent, {CONTAINERS} containers and {IMAGES} images, beside {NODE_EXPORTER} scraped every 10 s, for {} s",
            length.as_secs()
        ),
        [
            "",
            "RSS MiB",
            "private MiB",
            "anonymous MiB",
            "CPU ms in 10 s",
            "turns in 10 s",
        ],
    );
    let mib = |kib: u64| kib as f64 / MIB;
    for (name, taken) in [("nodegrace-agent", agent), (NODE_EXPORTER, exporter)] {
        table.row([
            name.to_owned(),
            format!("{:.2}", mib(taken.memory.resident)),
            format!("{:.2}", mib(taken.memory.private)),
            format!("{:.2}", mib(taken.memory.anonymous)),
            format!("{:.2}", taken.cpu),
            format!("{:.0}", taken.turns),
        ]);
    }
    table.note(
        "The agent watches over TLS, samples this machine's /proc and /sys, asks the kubelet over TLS and the runtime over its socket, and \
         spools to disk. The exporter has Debian's defaults and is scraped with gzip, as Prometheus does it.",
    );
    table.note(
        "A turn is a thread given a processor: it woke up, or somebody else had had the processor.",
    );
    goals(&mut table, agent, exporter, first, size);
    table
}

/// Holds what was measured against the goals. What bounds a figure is told by figures as well.
fn goals(table: &mut Table, agent: &Taken, exporter: &Taken, first: Duration, size: &Size) {
    let Memory {
        resident,
        anonymous,
        ..
    } = agent.memory;
    let (resident, own) = (resident as f64 / MIB, anonymous as f64 / MIB);
    let files = resident - own;
    let bound = if files > own {
        format!(
            "Bound by pages of its program's file, {files:.2} MiB, which the kernel drops when memory is short."
        )
    } else {
        format!("Bound by what it makes itself, heap and stacks: {own:.2} MiB.")
    };
    table.goal(
        "Agent's resident memory",
        format!("{resident:.2} MiB"),
        "8 MiB",
        resident < 8.0,
        bound,
    );
    let ratio = agent.cpu / exporter.cpu;
    table.goal(
        "Agent's processor time",
        format!("{ratio:.2} x {NODE_EXPORTER}'s"),
        "0.5 x",
        ratio < 0.5,
        format!(
            "It takes {:.0} µs a turn, the exporter {:.0} µs.",
            agent.cpu * 1e3 / agent.turns,
            exporter.cpu * 1e3 / exporter.turns
        ),
    );
    table.goal(
        "Start to first heartbeat at the aggregator",
        format!("{:.3} s", first.as_secs_f64()),
        "1 s",
        first < Duration::from_secs(1),
        "From the start of the process until the aggregator, asked every 2 ms, answers with it.",
    );
    table.goal(
        "Program, which is all there is in its image",
        format!("{:.2} MiB", size.file),
        "15 MiB",
        size.file < 15.0,
        format!("{:.2} MiB of it are instructions.", size.instructions),
    );
}
