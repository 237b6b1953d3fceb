//! What can be wrong with a ledger.

use std::fmt;

/// What does not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Surely seen, not stored, and nothing explains it.
    Lost {
        /// Where, when and what.
        heartbeat: String,
    },
    /// Counted more than once.
    Twice {
        /// Where, when and what.
        heartbeat: String,
        /// How often.
        times: u64,
    },
    /// Kept, but nothing like it was posted.
    NeverPosted {
        /// What is kept.
        row: String,
    },
    /// Kept as a heartbeat, though the controller does not credit it.
    NotCredited {
        /// What is kept.
        row: String,
    },
    /// The aggregator counts another number than it has rows.
    Count {
        /// Where.
        channel: String,
        /// Counted.
        counted: u64,
        /// Rows.
        rows: u64,
    },
    /// More is reported as dropped than can have been.
    Drops {
        /// The node.
        node: String,
        /// Reported.
        reported: u64,
        /// The most that can have been.
        most: u64,
    },
    /// The aggregator believes that an earlier run of it forgot records of this node.
    Forgotten {
        /// The node.
        node: String,
        /// How many.
        records: u64,
    },
    /// The run was too quiet for its ledger to prove anything.
    SaysLittle {
        /// What is missing.
        why: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { heartbeat } => write!(formatter, "lost: {heartbeat}"),
            Self::Twice { heartbeat, times } => {
                write!(formatter, "counted {times} times: {heartbeat}")
            }
            Self::NeverPosted { row } => write!(formatter, "never posted: {row}"),
            Self::NotCredited { row } => write!(formatter, "not credited: {row}"),
            Self::Count {
                channel,
                counted,
                rows,
            } => write!(formatter, "{channel}: {counted} counted, {rows} rows"),
            Self::Drops {
                node,
                reported,
                most,
            } => write!(
                formatter,
                "{node}: {reported} reported as dropped, {most} at most"
            ),
            Self::Forgotten { node, records } => {
                write!(
                    formatter,
                    "{node}: {records} records forgotten by an earlier run"
                )
            }
            Self::SaysLittle { why } => write!(formatter, "says too little: {why}"),
        }
    }
}
