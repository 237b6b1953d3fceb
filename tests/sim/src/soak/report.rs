//! What a soak prints: a line a minute, and what became of the memory.

use std::{fmt::Write as _, time::Duration};

use nodegrace_proto::v1;

use super::{
    Args,
    slope::{Point, Slope},
    usage::Usage,
};

/// The table so far. Every line is also shown on standard error as it comes.
#[derive(Debug)]
pub(super) struct Table(String);

impl Table {
    /// A table with its head.
    pub(super) fn new() -> Self {
        let mut table = Self(String::new());
        table.add(
            "        aggregator                                agents                                    reporting  heartbeats\n\
             minute  rss      pss      private  fds    files    rss      pss      private  fds    files",
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
                "{:<9}{:<9}{:<9}{:<7}{:<9}",
                mib(usage.rss_kib),
                mib(usage.pss_kib),
                mib(usage.private_kib),
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

    fn add(&mut self, line: &str) {
        eprintln!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// The table and the verdict on each side's private memory over the second half; true when both are flat.
pub(super) fn conclusion(
    args: &Args,
    table: &Table,
    sides: [(&str, usize, Vec<Point>); 2],
    fleet: &v1::Fleet,
) -> (String, bool) {
    let mut text = format!(
        "nodegrace-soak: {} agents for {} minutes in real time, seed {}; the aggregator killed every {} s, an agent crashed \
         every {} s\n\n{}\n",
        args.agents,
        args.minutes,
        args.seed,
        args.kill_aggregator_every,
        args.crash_agent_every,
        table.0
    );
    let mut all_flat = true;
    for (name, restarts, points) in sides {
        let verdict = match Slope::of(&points) {
            None => {
                all_flat = false;
                "too few measurements for a slope".to_owned()
            }
            Some(slope) => {
                all_flat &= slope.is_flat();
                let word = if slope.is_flat() { "flat" } else { "NOT flat" };
                format!(
                    "{:+.1} KiB a minute, standard error {:.1}, at {:.1} MiB: {word}",
                    slope.per_minute,
                    slope.error,
                    slope.mean / 1024.0
                )
            }
        };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{name}: {restarts} restarts of the process; private memory, second half: {verdict}"
        );
    }
    let losses = fleet.losses.unwrap_or_default();
    let _ = writeln!(
        text,
        "Heartbeats timed: {}; dropped: {}; agents reporting at the end: {}.",
        fleet.heartbeats, losses.dropped_heartbeats, fleet.connected_agents
    );
    text.push_str(
        "The slope is the least-squares line that all runs of a process share, without the first minute of each. Flat: no more \
         than two standard errors above zero, or less than 1 % of the memory over the whole second half.",
    );
    (text, all_flat)
}

fn mib(kib: u64) -> String {
    format!("{:.1}M", kib as f64 / 1024.0)
}
