//! The series of the cluster's watches: what flips and lost addresses are told from.

use nodegrace_exposition::{Exposition, Kind};
use nodegrace_proto::v1::{ClusterWatch, WatchProgress};

use super::words;

/// A count of a watch.
type Of = fn(&WatchProgress) -> u64;

/// Writes how far the watches are, and what they hold.
pub(super) fn write(out: &mut Exposition, watch: &ClusterWatch) {
    let watches = [
        ("nodes", watch.nodes.as_ref()),
        ("endpoint_slices", watch.endpoint_slices.as_ref()),
    ];
    let watches = watches.map(|(name, progress)| (name, progress.cloned().unwrap_or_default()));
    let mut family = out.family(
        "nodegrace_cluster_watch_phase",
        Kind::Gauge,
        "1 for how far the watch is: OFF, LISTING, COMPLETE or BEHIND, when changes are missing; others have no series.",
    );
    for (name, progress) in &watches {
        let phase = words::phase(progress.phase());
        family.sample(&[("watch", name), ("phase", phase)], 1.0);
    }
    let counters: [(&str, &str, Of); 2] = [
        (
            "nodegrace_cluster_watch_events",
            "Objects and changes read.",
            |progress| progress.events,
        ),
        (
            "nodegrace_cluster_watch_relists",
            "Times everything had to be listed again after a break.",
            |progress| progress.relists,
        ),
    ];
    for (name, help, of) in counters {
        let mut family = out.family(name, Kind::Counter, help);
        for (watch, progress) in &watches {
            family.sample(&[("watch", watch)], of(progress) as f64);
        }
    }
    let mut family = out.family(
        "nodegrace_cluster_watch_missed",
        Kind::Counter,
        "What the watches left out: nodes and addresses beyond the most, changes that made room before their time, flips while a watch was broken.",
    );
    for (kind, count) in [
        ("node", watch.refused_nodes),
        ("address", watch.refused_addresses),
        ("change", watch.dropped_changes),
        ("flip", watch.unseen_flips),
    ] {
        family.sample(&[("kind", kind)], count as f64);
    }
}
