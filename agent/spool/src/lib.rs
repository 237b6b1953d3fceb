//! The agent's spool: records kept on disk, within bounds, until every aggregator replica has them.

mod class;
mod cursor;
mod error;
mod files;
mod ledger;
mod limits;
mod log;
mod moment;
mod record;
mod recovery;
mod replicas;
pub mod segment;
mod spool;
mod state;

pub use self::{
    class::{Class, PerClass},
    cursor::{Cursor, Position},
    error::{AppendError, NameTooLong, OpenError},
    files::{Directory, Files},
    ledger::Ledger,
    limits::Limits,
    moment::Moment,
    record::{Batch, Instance, ReadLimit, Record},
    recovery::{Condition, Recovery},
    spool::Spool,
};
