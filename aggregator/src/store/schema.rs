//! The database's tables, version by version.
//!
//! `PRAGMA user_version` says which version a file has. Each step here leads to the next and is never changed once it was
//! released: a database of any age is brought up to date by the steps it lacks, in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::OpenError;

/// What leads from each version to the next, from an empty file on.
const STEPS: [&str; 6] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
];

/// The version this program reads and writes.
pub(super) const VERSION: u32 = STEPS.len() as u32;

/// Brings the tables up to date.
///
/// # Errors
/// When the file was written by a newer program, or is none of ours.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let version = usize::try_from(found)
        .ok()
        .filter(|version| *version <= STEPS.len())
        .ok_or(OpenError::Newer { found })?;
    for step in &STEPS[version..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", VERSION)?;
    Ok(transaction.commit()?)
}
