//! What the agents measured.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};

use super::super::latency::Latencies;

/// What was measured since the last mark, and every gap that was made.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<Measured>);

#[derive(Debug, Default)]
pub(super) struct Measured {
    /// Batches acknowledged.
    pub(super) batches: u64,
    /// Records in them.
    pub(super) records: u64,
    /// Bytes of them, as encoded.
    pub(super) bytes: u64,
    /// From a batch's sending to its acknowledgement.
    pub(super) ack: Latencies,
    /// From a heartbeat's arrival at its agent until `GetNode` shows it.
    pub(super) visible: Latencies,
    /// How much later than planned this process came to something: where it is long, this process is the bound.
    pub(super) late: Latencies,
    /// Node number, when the gap began on the wall clock, and its length, both in seconds.
    pub(super) gaps: Vec<(u32, f64, f64)>,
}

impl Tally {
    pub(super) fn lock(&self) -> MutexGuard<'_, Measured> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn late(&self, by: Duration) {
        self.lock().late.note(by);
    }

    /// What was measured since the last mark.
    pub(super) fn mark(&self) -> Value {
        let measured = {
            let mut measured = self.lock();
            let gaps = mem::take(&mut measured.gaps);
            mem::replace(
                &mut *measured,
                Measured {
                    gaps,
                    ..Measured::default()
                },
            )
        };
        json!({
            "batches": measured.batches,
            "records": measured.records,
            "bytes": measured.bytes,
            "ack": measured.ack.told(),
            "visible": measured.visible.told(),
            "late": measured.late.told(),
        })
    }

    /// Every gap that was made and has ended.
    pub(super) fn gaps(&self) -> Value {
        json!(self.lock().gaps)
    }
}
