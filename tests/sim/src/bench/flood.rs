//! As fast as it goes: the aggregator beside a bare server that takes the same streams, decodes and counts.

use std::time::Duration;

use nodegrace_clock::Clock;
use tempfile::TempDir;

use super::{
    aggregator::{Server, Setup, Window},
    programs::Programs,
    table::Table,
};

/// Streams: so many that none has to wait by the pace that the aggregator sets each.
const STREAMS: u32 = 2000;
const WARM_UP: Duration = Duration::from_secs(3);

/// What takes the streams.
#[derive(Clone, Copy, Debug)]
enum Taker {
    Sink,
    Memory,
    Disk,
}

/// What was measured of one.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Batches in a second.
    rate: f64,
    cores: f64,
    load_cores: f64,
}

/// What kept a run from being faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Server,
    Load,
    /// Both waited: for a disk, or for other programs of the machine.
    Neither,
}

/// Share of a core from which on it is taken for full: other programs take their part.
const FULL: f64 = 0.9;

impl Run {
    fn of(window: &Window) -> Self {
        Self {
            rate: window.batches_per_second(),
            cores: window.cores,
            load_cores: window.load_cores,
        }
    }

    /// Batches in a second of the server's processor time.
    fn per_core(self) -> f64 {
        self.rate / self.cores
    }

    fn bound(self) -> Bound {
        if self.cores.max(self.load_cores) < FULL {
            Bound::Neither
        } else if self.cores >= self.load_cores {
            Bound::Server
        } else {
            Bound::Load
        }
    }
}

impl Bound {
    const fn words(self) -> &'static str {
        match self {
            Self::Server => "its core",
            Self::Load => "the load's core",
            Self::Neither => "neither core: by the disk, or by other programs",
        }
    }
}

impl Taker {
    const ALL: [Self; 3] = [Self::Sink, Self::Memory, Self::Disk];

    /// Least share of what the sink takes.
    const fn goal(self) -> f64 {
        match self {
            Self::Sink => 1.0,
            Self::Memory => 0.8,
            Self::Disk => 0.5,
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Sink => "bare sink",
            Self::Memory => "aggregator",
            Self::Disk => "aggregator, history on disk",
        }
    }
}

/// Prints the table.
///
/// # Errors
/// When a process ends that should not.
pub(super) async fn run(programs: &Programs, quick: bool) -> anyhow::Result<()> {
    let length = Duration::from_secs(if quick { 10 } else { 30 });
    let mut table = Table::new(
        format!(
            "As fast as it goes, {STREAMS} streams, {} s each",
            length.as_secs()
        ),
        [
            "",
            "batches/s",
            "cores",
            "ratio",
            "batches per s of processor",
            "ratio",
            "ack p99",
            "load cores",
        ],
    );
    let mut runs: Vec<(Taker, Run)> = Vec::new();
    for taker in Taker::ALL {
        let window = flood(programs, taker, length).await?;
        let run = Run::of(&window);
        let bare = runs.first().map_or(run, |(_, bare)| *bare);
        table.row([
            taker.label().to_owned(),
            format!("{:.0}", run.rate),
            format!("{:.3}", run.cores),
            format!("{:.2}", run.rate / bare.rate),
            format!("{:.0}", run.per_core()),
            format!("{:.2}", run.per_core() / bare.per_core()),
            format!("{:.0} ms", window.millis("ack", "p99")),
            format!("{:.2}", window.load_cores),
        ]);
        runs.push((taker, run));
    }
    table.note(
        "Batches of one heartbeat and of one sample in turn, of the past, 4 under way on each stream, each acknowledged. The first \
         ratio is of batches as they came, the second of batches per second of the server's processor time. The first one counts where \
         the sink's own core was its bound, the second one where it was the load's: then the sink could have taken more.",
    );
    let [(_, bare), compared @ ..] = &*runs else {
        return Ok(());
    };
    for (taker, run) in compared {
        let (ratio, of) = match bare.bound() {
            Bound::Server => (run.rate / bare.rate, "as they came"),
            Bound::Load | Bound::Neither => {
                (run.per_core() / bare.per_core(), "per processor time")
            }
        };
        let goal = taker.goal();
        table.goal(
            &format!("Throughput, {}", taker.label()),
            format!("{ratio:.2} x the bare sink, {of}"),
            format!("{goal:.1} x"),
            ratio >= goal,
            format!(
                "The sink was bound by {}, this by {}.",
                bare.bound().words(),
                run.bound().words()
            ),
        );
    }
    table.print();
    Ok(())
}

async fn flood(programs: &Programs, taker: Taker, length: Duration) -> anyhow::Result<Window> {
    let place = TempDir::with_prefix("nodegrace-bench-")?;
    let history = matches!(taker, Taker::Disk).then(|| place.path().join("history"));
    let setup = Setup {
        history,
        ..Setup::default()
    };
    let mut server = match taker {
        Taker::Sink => Server::sink(place.path()).await?,
        _ => Server::aggregator(programs, setup, place.path()).await?,
    };
    let flags = ["--flood".to_owned()];
    let mut load = server.load(STREAMS, &flags, place.path()).await?;
    Clock::real().sleep(WARM_UP).await;
    let window = load.watch(&mut server, length).await?;
    server.stop().await?;
    Ok(window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_a_full_core_is_the_bound() {
        let bound = |cores, load_cores| {
            let rate = 1000.0;
            let run = Run {
                rate,
                cores,
                load_cores,
            };
            run.bound()
        };
        assert_eq!(bound(0.97, 0.7), Bound::Server);
        assert_eq!(bound(0.52, 0.95), Bound::Load);
        assert_eq!(bound(0.6, 0.6), Bound::Neither);
    }
}
