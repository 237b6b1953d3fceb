//! The pure controller against the recorded trials of a real one.

use std::time::Duration;

use nodegrace_sim_cluster::controller::{NodeLifecycle, NodeView, ReadyView};

use crate::kit::RECORDED_RULE;

/// Phases of the poll that each gap is tried with.
const PHASES: u32 = 50;

/// From the API server's acknowledgement to the controller's next look: its watch and its poll.
const SEEN_AFTER: Duration = Duration::from_millis(12);

/// What the trials' nodes did: only renew the Lease, or only post the status.
#[derive(Clone, Copy)]
enum Mode {
    Lease,
    Status,
}

/// Whether the controller gives a node up within a gap, its polls being `phase` late.
fn flips(mode: Mode, gap: Duration, phase: Duration) -> bool {
    let start = Duration::from_secs(100);
    let mut controller = NodeLifecycle::default();
    let mut now = start - Duration::from_secs(10) + phase;
    // The last heartbeat is number 1, at `start`; number 2 ends the gap.
    while now < start + gap + Duration::from_secs(5) {
        let beat =
            i64::from(now >= start + SEEN_AFTER) + i64::from(now >= start + gap + SEEN_AFTER);
        let (heartbeat, renewed) = match mode {
            Mode::Lease => (0, Some(beat)),
            Mode::Status => (beat, None),
        };
        let view = NodeView {
            name: "n".to_owned(),
            ready: Some(ReadyView {
                unknown: false,
                heartbeat,
            }),
            renewed,
        };
        if !controller
            .poll(now, &RECORDED_RULE, &[view], |_| None)
            .is_empty()
        {
            return true;
        }
        now += RECORDED_RULE.monitor_period + RECORDED_RULE.pass;
    }
    false
}

fn agrees_with_trials(name: &str, mode: Mode) {
    let path = format!(
        "{}/tests/fixtures/trials-{name}.csv",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(path).unwrap();
    let (mut expected, mut variance, mut actual) = (0.0, 0.0, 0.0);
    let mut brier = 0.0;
    let mut rows = 0.0;
    for row in text.lines().skip(1) {
        let (gap, flipped) = row.split_once(',').unwrap();
        let gap = Duration::from_secs_f64(gap.parse().unwrap());
        let hits = (0..PHASES)
            .filter(|phase| flips(mode, gap, RECORDED_RULE.monitor_period * *phase / PHASES))
            .count();
        let probability = hits as f64 / f64::from(PHASES);
        let flipped = f64::from(u8::from(flipped == "1"));
        expected += probability;
        variance += probability * (1.0 - probability);
        actual += flipped;
        brier += (probability - flipped).powi(2);
        rows += 1.0;
    }
    let deviation = f64::sqrt(variance);
    println!(
        "{name}: expected {expected:.1} +- {deviation:.1}, actual {actual}, Brier {:.4}",
        brier / rows
    );
    assert!((expected - actual).abs() < 3.0 * deviation);
    assert!(brier / rows < 0.08);
}

#[test]
fn lease_only_nodes_flip_as_in_the_trials() {
    agrees_with_trials("lease", Mode::Lease);
}

#[test]
fn status_only_nodes_flip_as_in_the_trials() {
    agrees_with_trials("status", Mode::Status);
}
