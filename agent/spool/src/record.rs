//! What goes in and comes out: records, the instance that made them, and the batches they are read in.

use std::{sync::Arc, time::SystemTime};

use crate::{class::Class, cursor::Cursor};

/// One run of the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its place among the runs that used this spool, from 1.
    pub number: u64,
    /// What the agent said it is: opaque here, sent with its records.
    pub identity: Arc<[u8]>,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its kind.
    pub class: Class,
    /// Its number within its instance, ascending over all classes.
    pub sequence: u64,
    /// Wall time of the append, whole milliseconds.
    pub recorded: SystemTime,
    /// The record itself, as it was appended.
    pub payload: Vec<u8>,
}

/// Records in order, all of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The run that made them.
    pub instance: Instance,
    /// The records, ascending by sequence number. Never empty.
    pub records: Vec<Record>,
    /// Where to read on, and what to acknowledge once these records are kept elsewhere.
    pub end: Cursor,
}

/// How much one read returns at most; one record is returned whatever its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimit {
    /// Most records.
    pub records: usize,
    /// Most bytes of payload.
    pub bytes: usize,
}
