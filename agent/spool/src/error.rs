//! What can go wrong in a way the caller has to know.

use std::{io, path::PathBuf};

use thiserror::Error;

/// A spool could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process (or another part of this one) has it open.
    #[error("spool {directory} is in use by {holder}")]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who holds it, in its own words.
        holder: String,
    },
    /// The directory cannot be made or locked.
    #[error("cannot {action} spool {directory}")]
    Directory {
        /// What was tried.
        action: &'static str,
        /// The directory.
        directory: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The files cannot be listed.
    #[error("cannot list the files of the spool")]
    Unlisted(#[source] io::Error),
    /// A file is there and cannot be read. Nothing was removed: read another time, it may be whole.
    #[error("cannot read {name} in the spool")]
    Unread {
        /// Its name in the directory.
        name: String,
        /// Why it failed the last time it was tried.
        source: io::Error,
    },
    /// A class has no room to work in.
    #[error("budget of {bytes} bytes for {class} records is below {least}")]
    BudgetTooSmall {
        /// The class.
        class: &'static str,
        /// The bytes it was given.
        bytes: u64,
        /// The bytes it needs.
        least: u64,
    },
    /// The instance's identity is longer than a segment header holds.
    #[error("identity of {0} bytes is longer than {most}", most = crate::segment::MOST_IDENTITY)]
    IdentityTooLong(usize),
}

/// A record was not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AppendError {
    /// Sequence numbers ascend within an instance. Nothing was counted.
    #[error("sequence number {given} does not follow {last}")]
    OutOfOrder {
        /// The number given.
        given: u64,
        /// The number before it.
        last: u64,
    },
    /// No spool counts that far: it would not believe the record when it reads it. Nothing was counted.
    #[error("sequence number {0} is above {most}", most = crate::segment::MOST_NUMBER)]
    BeyondCounting(u64),
    /// The payload fits into no segment. The record was counted as appended and dropped.
    #[error("payload of {given} bytes is longer than {most}")]
    TooLarge {
        /// Its size.
        given: usize,
        /// The bound, in bytes.
        most: usize,
    },
}

/// A replica's name is longer than the state holds: no DNS name is.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("replica name of {0} bytes is longer than {most}", most = crate::replicas::MOST_NAME)]
pub struct NameTooLong(pub usize);
