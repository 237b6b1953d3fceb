//! What the controller keeps of a node beside the last Lease it credited, as far as the two channels share it: when it writes
//! its record of the node anew, it forgets that Lease.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// The controller's record of the node, as both observers of one node share it.
///
/// Crediting a status post makes the controller write its record anew, without the Lease: the poll after the next takes any
/// Lease for new, whatever its stamp (`tryUpdateNodeHealth` in Kubernetes' `node_lifecycle_controller.go`, 1.14 to 1.37).
#[derive(Clone, Debug, Default)]
pub(crate) struct Record(Arc<AtomicU64>);

impl Record {
    /// A status post was credited.
    pub(super) fn write_anew(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many status posts were credited so far: where that changed, the Lease is forgotten.
    pub(super) fn written(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
