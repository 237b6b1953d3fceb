//! Why a data directory cannot be used.

use super::schema::VERSION;

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be created, or its lock file not be opened.
    #[error("the directory cannot be used")]
    Directory(#[source] std::io::Error),
    /// Another process uses it.
    #[error("another aggregator uses it")]
    Locked,
    /// A newer program wrote it.
    #[error(
        "it was written by a newer nodegrace: it has version {found}, this one knows versions up to {VERSION}"
    )]
    Newer {
        /// `PRAGMA user_version` of the file.
        found: i64,
    },
    /// The database itself refuses.
    #[error("the database cannot be read")]
    Database(#[from] rusqlite::Error),
    /// A row of the log does not say what it should.
    #[error("the database is damaged: row {row} of the log cannot be read")]
    DamagedLog {
        /// Its id.
        row: i64,
        /// Why.
        #[source]
        reason: prost::DecodeError,
    },
    /// Another row does not.
    #[error("the database is damaged: {what} of node {node} cannot be read")]
    Damaged {
        /// Which kind of row.
        what: &'static str,
        /// Whose.
        node: String,
        /// Why.
        #[source]
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
}
