//! How much of a cluster is kept, and what was left out for it.

use std::time::Duration;

/// How much of a cluster is kept. Whatever is beyond is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterBounds {
    /// Nodes watched.
    pub nodes: usize,
    /// Addresses of Services watched.
    pub endpoints: usize,
    /// Changes of addresses kept.
    pub changes: usize,
    /// For so long they are kept.
    pub changes_for: Duration,
    /// Flips kept, the oldest dropped first.
    pub flips: usize,
    /// Addresses kept of all flips together, those of the oldest flip dropped first.
    pub flip_addresses: usize,
}

impl Default for ClusterBounds {
    fn default() -> Self {
        Self {
            // Twice the largest cluster that Kubernetes promises.
            nodes: 10_000,
            // Thrice what such a cluster is tested with, at some 250 bytes each.
            endpoints: 450_000,
            // A day of a cluster that rolls out a hundred thousand pods a day, at some 100 bytes each.
            changes: 200_000,
            changes_for: Duration::from_secs(24 * 3600),
            // Every node of the largest cluster, twice.
            flips: 10_000,
            // Every address of such a cluster, once and a third more, at some 250 bytes each: 50 MB.
            flip_addresses: 200_000,
        }
    }
}

/// What was left out because a bound was reached, and what could not be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Sights of nodes beyond the bound.
    pub nodes: u64,
    /// Addresses beyond the bound, counted each time their slice changes.
    pub endpoints: u64,
    /// Changes of addresses that made room for newer ones before their time.
    pub changes: u64,
    /// Flips that made room for newer ones.
    pub flips: u64,
    /// Addresses of flips that made room for those of newer ones, or that were beyond what is kept of one flip.
    pub flip_addresses: u64,
    /// Times a node was found Ready again after it had been not ready unseen, while the watch was broken.
    pub unseen_flips: u64,
}
