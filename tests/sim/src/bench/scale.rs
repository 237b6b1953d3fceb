//! What a node costs, by the number of nodes, and what 130,000 of them would.

use std::time::Duration;

use super::{ingest, programs::Programs, table::Table};

const NODES: [u32; 5] = [1000, 5000, 10_000, 20_000, 50_000];
/// Streams on each connection: a process may have 20,000 files open here, which is less than the largest number of nodes.
const PER_CONNECTION: u32 = 5;
/// The largest cluster that was ever shown.
const LARGEST: f64 = 130_000.0;
/// Most that a point may be off the line, as a share: else the cost does not grow linearly.
const MOST_OFF: f64 = 0.15;

/// Prints the table.
///
/// # Errors
/// When a process ends that should not.
pub(super) async fn run(programs: &Programs, quick: bool) -> anyhow::Result<()> {
    let (nodes, length) = if quick {
        (&NODES[..3], 20)
    } else {
        (&NODES[..], 60)
    };
    let mut table = Table::new(
        format!(
            "Cost by number of nodes, {length} s each, {PER_CONNECTION} streams on each connection"
        ),
        [
            "nodes",
            "cores",
            "ms of processor per node and minute",
            "RSS MiB",
            "KiB per node",
            "shown p99",
            "ack p99",
            "load cores",
        ],
    );
    let (mut cores, mut mebibytes) = (Vec::new(), Vec::new());
    for &nodes in nodes {
        let run = ingest::steady(
            programs,
            nodes,
            PER_CONNECTION,
            false,
            Duration::from_secs(length),
        )
        .await?;
        let window = &run.window;
        let (resident, _) = run.kib_per_node();
        let of_node = window.cores * 60e3 / f64::from(nodes);
        let memory = window.memory.resident as f64 / 1024.0;
        cores.push((f64::from(nodes), window.cores));
        mebibytes.push((f64::from(nodes), memory));
        table.row([
            nodes.to_string(),
            format!("{:.3}", window.cores),
            format!("{of_node:.2}"),
            format!("{memory:.0}"),
            format!("{resident:.1}"),
            format!("{:.1} ms", window.millis("visible", "p99")),
            format!("{:.1} ms", window.millis("ack", "p99")),
            format!("{:.2}", window.load_cores),
        ]);
    }
    for (what, points) in [("cores", &cores), ("MiB", &mebibytes)] {
        let line = Line::through(points);
        let worst = line.worst(points);
        table.note(format!(
            "{what} = {:.4} + {:.6} x nodes; at {LARGEST} nodes {:.4} + {:.6} x {LARGEST} = {:.1} {what}.",
            line.level,
            line.slope,
            line.level,
            line.slope,
            line.at(LARGEST),
        ));
        table.goal(
            &format!("Linear growth of {what}"),
            format!("{:.0} % off the line at most", 100.0 * worst),
            format!("{:.0} %", 100.0 * MOST_OFF),
            worst <= MOST_OFF,
            "Of the point that is farthest off, as a share of the line there.",
        );
    }
    table.print();
    Ok(())
}

/// A line through points, each weighed by its own size, so that the small ones count as much as the large.
struct Line {
    level: f64,
    slope: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Self {
        let mut sums = [0.0; 5];
        for &(x, y) in points {
            let weight = 1.0 / (y * y).max(f64::MIN_POSITIVE);
            let terms = [1.0, x, y, x * x, x * y];
            for (sum, term) in sums.iter_mut().zip(terms) {
                *sum += weight * term;
            }
        }
        let [one, x, y, xx, xy] = sums;
        let slope = (one * xy - x * y) / (one * xx - x * x);
        Self {
            level: (y - slope * x) / one,
            slope,
        }
    }

    fn at(&self, x: f64) -> f64 {
        self.level + self.slope * x
    }

    /// How far the worst point is off, as a share of the line there.
    fn worst(&self, points: &[(f64, f64)]) -> f64 {
        let off = |&(x, y): &(f64, f64)| ((y - self.at(x)) / self.at(x)).abs();
        points.iter().map(off).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_what_is_off_it_shows() {
        let mut points: Vec<_> = [1e3, 5e3, 5e4].map(|x| (x, 7.0 + 0.02 * x)).into();
        let line = Line::through(&points);
        assert!((line.level - 7.0).abs() < 1e-6 && (line.slope - 0.02).abs() < 1e-9);
        assert!(line.worst(&points) < 1e-9);
        points[2].1 *= 2.0;
        assert!(Line::through(&points).worst(&points) > 0.2);
    }
}
