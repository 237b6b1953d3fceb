//! What a soak prints: a line a minute, and what became of the memory.

use std::{fmt::Write as _, time::Duration};

use nodegrace_proto::v1;

use super::{
    Args,
    schedule::{LIFE, ROUNDS, Schedule},
    side::Side,
    slope::{MOST_A_DAY, MOST_HIDDEN, MOST_TOUCHED, Slope},
    usage::Usage,
};

/// The table so far. Every line is also shown on standard error as it comes.
#[derive(Debug)]
pub(super) struct Table(String);

/// What the agents' log says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// Agents that started.
    pub(super) starts: usize,
    /// Streams to the aggregator that broke or could not be opened, but for those that the agent broke itself when it crashed.
    pub(super) broken: usize,
}

impl Counts {
    /// What it says until now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn of(agents: &Side) -> anyhow::Result<Self> {
        Ok(Self {
            starts: agents.said("agent started")?,
            broken: agents.said("no stream to the aggregator")?,
        })
    }
}

impl Table {
    /// A table with its head.
    pub(super) fn new() -> Self {
        let mut table = Self(String::new());
        table.add(
            "        aggregator                                agents                                    reporting  heartbeats\n\
             minute  rss      anonymous heap     fds    files    rss      anonymous heap     fds    files",
        );
        table
    }

    /// Adds a line.
    pub(super) fn line(
        &mut self,
        at: Duration,
        aggregator: Usage,
        agents: Usage,
        files: (u64, u64),
        fleet: Option<&v1::Fleet>,
    ) {
        let side = |usage: Usage, bytes: u64| {
            format!(
                "{:<9}{:<10}{:<9}{:<7}{:<9}",
                mib(usage.rss_kib),
                mib(usage.anonymous_kib),
                mib(usage.allocated_kib),
                usage.descriptors,
                mib(bytes >> 10)
            )
        };
        let (reporting, heartbeats) = fleet.map_or(("-".to_owned(), "-".to_owned()), |fleet| {
            let numbers = (fleet.connected_agents, fleet.heartbeats);
            (numbers.0.to_string(), numbers.1.to_string())
        });
        let minute = format!("{:.0}", at.as_secs_f64() / 60.0);
        self.add(&format!(
            "{minute:<8}{}{}{reporting:<11}{heartbeats}",
            side(aggregator, files.0),
            side(agents, files.1)
        ));
    }

    /// Marks where the warm-up ends.
    pub(super) fn end_of_warm_up(&mut self) {
        self.add("-- measured from here on --");
    }

    fn add(&mut self, line: &str) {
        eprintln!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// What came of a soak.
pub(super) struct Outcome<'a> {
    /// The aggregator and the agents, by name.
    pub(super) sides: [(&'a str, &'a Side); 2],
    /// What the agents' log said at the end of the warm-up and says at the end of all.
    pub(super) counts: [Counts; 2],
    /// What the aggregator remembers of nodes.
    pub(super) histories: Histories,
    /// The fleet at the end.
    pub(super) fleet: v1::Fleet,
}

/// What the aggregator remembers of nodes, by its own count, in bytes. It grows for hours in a fleet with trouble, up to a bound
/// for each node that tests hold; so it is measured apart.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Histories {
    /// At the end of the warm-up.
    pub(super) warm: u64,
    /// Now.
    pub(super) latest: u64,
}

impl Outcome<'_> {
    /// All that is to be said, and the verdict on each side's memory; true when both are flat.
    pub(super) fn conclude(
        &self,
        args: &Args,
        schedule: &Schedule,
        table: &Table,
    ) -> (String, bool) {
        let mut text = format!(
            "nodegrace-soak: {} agents, measured for {} minutes in real time after {:.1} minutes of warm-up, seed {}; {} agents \
             crash each second\n\n{}\n",
            args.agents,
            args.minutes,
            schedule.warm_up.as_secs_f64() / 60.0,
            args.seed,
            args.crashes_per_second,
            table.0
        );
        let mut all_flat = true;
        for (name, side) in self.sides {
            let heap = Slope::of(side.allocated());
            let anonymous = Slope::of(side.anonymous());
            let (heap_flat, settled) = (heap.map(Slope::is_flat), anonymous.map(Slope::is_settled));
            all_flat &= heap_flat == Some(true) && settled == Some(true);
            let resident = side.resident();
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{name}\n  heap:      {}\n  anonymous: {}\n  rss first {}, last {}, most {}; process killed {} times",
                in_words(heap, heap_flat),
                in_words(anonymous, settled),
                mib(resident.first),
                mib(resident.last),
                mib(resident.most),
                side.restarts()
            );
        }
        let _ = writeln!(text, "{}\n{}", self.counted(), explanation());
        (text, all_flat)
    }

    fn counted(&self) -> String {
        let [warm, all] = self.counts;
        let Self {
            histories, fleet, ..
        } = self;
        let losses = fleet.losses.unwrap_or_default();
        format!(
            "Histories of the nodes, which are not in the aggregator's slope: {} at first, {} at last, for {} nodes.\n\
             Agents started: {} in the warm-up, {} while measured; streams broken: {} and {}, the aggregator killed included.\n\
             Heartbeats timed: {}; dropped: {}; agents reporting at the end: {}.",
            mib(histories.warm >> 10),
            mib(histories.latest >> 10),
            fleet.nodes,
            warm.starts,
            all.starts - warm.starts,
            warm.broken,
            all.broken - warm.broken,
            fleet.heartbeats,
            losses.dropped_heartbeats,
            fleet.connected_agents
        )
    }
}

/// What the figures mean.
fn explanation() -> String {
    format!(
        "A slope is that of the least-squares line that all runs of a process share, through the medians of each minute, +- its \
         standard\nerror. Not measured: the warm-up, in which the aggregator is killed, every agent crashes {ROUNDS} times, and those \
         that then live on\ndo so for {} minutes; nor, after each later kill, as many crashes, for the aggregator.\nHeap is what the \
         process has allocated and not given back. It is flat when with two standard errors on top less than {:.0} % would\nbe \
         added in a day, or when its slope cannot be told from zero and with two standard errors on top is below {:.1} % a \
         minute.\nAnonymous memory is what the machine gives for it, pages that were touched once included. It is flat when with two \
         standard\nerrors on top it grows by less than {:.2} % a minute.",
        LIFE.as_secs() / 60,
        100.0 * MOST_A_DAY,
        100.0 * MOST_HIDDEN,
        100.0 * MOST_TOUCHED
    )
}

fn in_words(slope: Option<Slope>, flat: Option<bool>) -> String {
    let Some(slope) = slope else {
        return "too few measurements for a slope: NOT flat".to_owned();
    };
    format!(
        "{:+.1} +- {:.1} KiB a minute ({:+.2} % an hour) at {:.1} MiB: {}",
        slope.per_minute,
        slope.error,
        slope.percent_an_hour(),
        slope.mean / 1024.0,
        if flat == Some(true) {
            "flat"
        } else {
            "NOT flat"
        }
    )
}

fn mib(kib: u64) -> String {
    format!("{:.1}M", kib as f64 / 1024.0)
}
