//! The database itself: opened once, written in transactions, read at the start.

use std::{fs, path::Path, time::Duration};

use nodegrace_core::{WallTime, cause::Explained};
use nodegrace_proto::store::v1::NodeSnapshot;
use prost::Message as _;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    OpenError, flips,
    heartbeats::{self, Runs},
    lock::Lock,
    log,
    row::{Event, Saved, State, Work, channel},
    schema,
};
use crate::{StoreConfig, timeline::Mark};

/// Rows of history that one step of retention deletes at most: some milliseconds of work.
const RETENTION_STEP: i64 = 500;
/// Pages that one step gives back to the file system at most.
const VACUUM_STEP: i64 = 256;

/// Most memory for pages of the database, in KiB. Rows are added at the end of a few tables and read at a start alone; what is read
/// again comes from the kernel's cache. By default it is twice as much, and took a quarter of an hour to fill.
const CACHE_KIB: i64 = 1024;

/// The database of a data directory, locked for this process.
#[derive(Debug)]
pub(crate) struct Database {
    pub(super) connection: Connection,
    /// The runs of agents that heartbeats are written of. Absent: to be looked up.
    runs: Option<Runs>,
    retain_for: Duration,
    retain_heartbeats: Duration,
    max_bytes: u64,
    /// True since retention found more than `max_bytes` in use.
    too_large: bool,
    _lock: Lock,
}

impl Database {
    /// Name of the file in the data directory.
    pub(super) const FILE: &str = "history.db";

    /// Opens the database of `config`, made or brought up to date as needed. Blocks.
    ///
    /// # Errors
    /// When the directory cannot be used, another process uses it, or a newer program wrote it.
    pub(crate) fn open(config: &StoreConfig) -> Result<Self, OpenError> {
        fs::create_dir_all(&config.directory).map_err(OpenError::Directory)?;
        let lock = Lock::of(&config.directory)?;
        let mut connection = connect(&config.directory)?;
        schema::migrate(&mut connection)?;
        Ok(Self {
            connection,
            runs: None,
            retain_for: config.retain_for,
            retain_heartbeats: config.retain_heartbeats,
            max_bytes: config.max_bytes,
            too_large: false,
            _lock: lock,
        })
    }

    /// True when single heartbeats are kept as rows.
    pub(super) const fn keeps_heartbeats(&self) -> bool {
        !self.retain_heartbeats.is_zero()
    }

    /// The id of the history, made with it.
    pub(super) fn history(&self) -> Result<u128, OpenError> {
        let query = "SELECT id FROM history";
        let id = self.connection.query_row(query, [], |row| row.get(0))?;
        Ok(u128::from_be_bytes(id))
    }

    /// Where the time stood. Absent: the database is new.
    pub(crate) fn state(&self) -> Result<Option<State>, OpenError> {
        let query = "SELECT moment_ns, wall_ns, anchor_moment_ns, anchor_wall_ns, rejected_records, rejected_streams,
            shed_samples FROM state";
        let state = self.connection.query_row(query, [], |row| {
            let mark = |moment: usize| {
                Ok::<_, rusqlite::Error>(Mark {
                    moment: from_nanos(row.get(moment)?),
                    wall: WallTime::from_unix_nanos(row.get(moment + 1)?),
                })
            };
            let count = |column: usize| row.get(column).map(i64::cast_unsigned);
            Ok(State {
                last: mark(0)?,
                anchor: mark(2)?,
                rejected_records: count(4)?,
                rejected_streams: count(5)?,
                shed_samples: count(6)?,
            })
        });
        Ok(state.optional()?)
    }

    /// Hands every snapshot to `take`, with the name of its node.
    pub(super) fn snapshots(
        &self,
        mut take: impl FnMut(String, &[u8]) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        let mut query = self.connection.prepare("SELECT name, snapshot FROM node")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let snapshot = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            take(row.get(0)?, snapshot)?;
        }
        Ok(())
    }

    /// The first names of nodes after `after`, ascending.
    pub(super) fn names(&self, after: &str, most: i64) -> Result<Vec<String>, rusqlite::Error> {
        let query = "SELECT name FROM node WHERE name > ?1 ORDER BY name LIMIT ?2";
        let mut query = self.connection.prepare_cached(query)?;
        let names = query.query_map(params![after, most], |row| row.get(0))?;
        names.collect()
    }

    /// Does all of `work` or nothing; on disk when this returns. Gives the id of the last row of the log. Blocks.
    pub(super) fn write(&mut self, work: &Work) -> Result<i64, rusqlite::Error> {
        let mut runs = match self.runs.take() {
            Some(runs) => runs,
            None => Runs::of(&self.connection)?,
        };
        let last_row = self.commit(work, &mut runs)?;
        // Those that an error leaves may be of a transaction that never was.
        self.runs = Some(runs);
        if work.retain {
            // All of the work is on disk by now: an error here must not have it done again.
            if let Err(error) = give_back(&self.connection) {
                tracing::warn!(%error, "free pages of the database are given back later");
            }
        }
        Ok(last_row)
    }

    fn commit(&mut self, work: &Work, runs: &mut Runs) -> Result<i64, rusqlite::Error> {
        let keeps_heartbeats = self.keeps_heartbeats();
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let last_row = log::append(&transaction, &work.batches, work.applied_row)?;
        for gap in &work.events.gaps {
            insert_gap(&transaction, gap)?;
        }
        for explained in &work.events.explained {
            explain_gap(&transaction, explained)?;
        }
        for flip in &work.flips {
            flips::save(&transaction, flip)?;
        }
        let new = &work.events.heartbeats;
        runs.insert(&transaction, new)?;
        let mut most = heartbeats::taken_with(new);
        // Of what an earlier run kept, no new row takes anything away.
        if work.retain || !keeps_heartbeats {
            most = most.saturating_add(RETENTION_STEP);
        }
        let oldest = work.oldest_kept(self.retain_heartbeats, self.too_large);
        heartbeats::retain(&transaction, oldest, most)?;
        for saved in &work.snapshots {
            save(&transaction, saved, work)?;
        }
        for node in &work.forgotten {
            log::forget(&transaction, node, work.applied_row)?;
        }
        if let Some(from) = work.log_from {
            log::drop_before(&transaction, from)?;
        }
        if work.retain {
            self.too_large = bytes(&transaction)? > self.max_bytes;
            runs.forget(&transaction)?;
            // What is worth the least goes first.
            let too_large = self.too_large && heartbeats::is_empty(&transaction)?;
            retain(&transaction, work.oldest_kept(self.retain_for, too_large))?;
        }
        write_state(&transaction, work, last_row)?;
        transaction.commit()?;
        Ok(last_row)
    }
}

impl Work {
    /// Rows kept before this are to go: those older than `retain_for`, or all where there are too many.
    fn oldest_kept(&self, retain_for: Duration, too_many: bool) -> i64 {
        if too_many {
            return i64::MAX;
        }
        // As rows are dated: a step of the wall clock makes none of them older or younger.
        let now = self.state.anchor.wall_at(self.state.last.moment);
        now.unix_nanos().saturating_sub(nanos(retain_for))
    }
}

fn connect(directory: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open(directory.join(Database::FILE))?;
    // Somebody's sqlite3 may hold a lock for a moment.
    connection.busy_timeout(Duration::from_secs(1))?;
    // Takes effect in a new file only, before its first table.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Where nothing but the data directory can be written, there is no place for files that SQLite puts aside.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // A commit returns once the log of the file system has it: what acknowledgements rest on.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Negative: KiB and not pages.
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Whatever a long query of somebody made the write-ahead log grow to.
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

fn insert_gap(
    transaction: &Transaction<'_>,
    gap: &Event<nodegrace_core::Gap>,
) -> Result<(), rusqlite::Error> {
    let Event { node, what, kept } = gap;
    // A log that is applied again after a restart finds some that are here.
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO gap (node, start_ns, end_ns, duration_ns, start_channel, end_channel, since_lease_ns,
            uncertainty_ns, flip_seen, kept_ns, uncounted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            node,
            what.start_time.unix_nanos(),
            what.end_time.unix_nanos(),
            nanos(what.duration),
            channel(what.start_channel),
            channel(what.end_channel),
            what.since_lease.map(nanos),
            nanos(what.uncertainty),
            what.flip_seen,
            kept.unix_nanos(),
            what.uncounted,
        ])?;
    Ok(())
}

/// A gap that is too old to be here any more stays away.
fn explain_gap(
    transaction: &Transaction<'_>,
    explained: &Event<Explained>,
) -> Result<(), rusqlite::Error> {
    let Explained { gap, why } = &explained.what;
    let first = why.causes.first();
    transaction
        .prepare_cached(
            "UPDATE gap SET lateness_ns = ?5, cause = ?6, cause_ns = ?7
            WHERE node = ?1 AND end_ns = ?2 AND start_ns = ?3 AND duration_ns = ?4",
        )?
        .execute(params![
            explained.node,
            gap.end_time.unix_nanos(),
            gap.start_time.unix_nanos(),
            nanos(gap.duration),
            nanos(why.lateness),
            why.main().name(),
            first.map(|cause| nanos(cause.accounts_for)),
        ])?;
    Ok(())
}

fn save(transaction: &Transaction<'_>, saved: &Saved, work: &Work) -> Result<(), rusqlite::Error> {
    transaction
        .prepare_cached("INSERT OR REPLACE INTO node VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
        .execute(params![
            saved.node,
            saved.boot_id,
            nanos(saved.agent_start),
            saved.last_number.cast_signed(),
            saved.heartbeats.cast_signed(),
            saved.flips.cast_signed(),
            work.applied_row,
            work.state.last.wall.unix_nanos(),
            NodeSnapshot::encode_to_vec(&saved.snapshot),
        ])?;
    Ok(())
}

/// Deletes rows of history kept before `oldest`, the oldest first, a few at a time.
fn retain(transaction: &Transaction<'_>, oldest: i64) -> Result<(), rusqlite::Error> {
    for table in ["gap", "flip"] {
        let delete = format!(
            "DELETE FROM {table} WHERE rowid IN
            (SELECT rowid FROM {table} WHERE kept_ns < ?1 ORDER BY kept_ns LIMIT ?2)"
        );
        transaction
            .prepare_cached(&delete)?
            .execute([oldest, RETENTION_STEP])?;
    }
    Ok(())
}

/// Gives free pages back to the file system, a few at a time.
fn give_back(connection: &Connection) -> Result<(), rusqlite::Error> {
    let pages = format!("PRAGMA incremental_vacuum({VACUUM_STEP})");
    let mut pragma = connection.prepare(&pages)?;
    // It answers with a row for each page and does nothing more than it is asked for.
    let mut rows = pragma.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Bytes in use.
fn bytes(transaction: &Transaction<'_>) -> Result<u64, rusqlite::Error> {
    let pragma = |name: &str| {
        transaction.pragma_query_value(None, name, |row| {
            row.get::<_, i64>(0).map(i64::cast_unsigned)
        })
    };
    Ok((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?)
}

fn write_state(
    transaction: &Transaction<'_>,
    work: &Work,
    last_row: i64,
) -> Result<(), rusqlite::Error> {
    let state = &work.state;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO state (one, moment_ns, wall_ns, anchor_moment_ns, anchor_wall_ns, rejected_records,
            rejected_streams, shed_samples, log_id, told_log_id) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            nanos(state.last.moment),
            state.last.wall.unix_nanos(),
            nanos(state.anchor.moment),
            state.anchor.wall.unix_nanos(),
            state.rejected_records.cast_signed(),
            state.rejected_streams.cast_signed(),
            state.shed_samples.cast_signed(),
            last_row,
            work.applied_row,
        ])?;
    Ok(())
}

/// Nanoseconds as a column holds them, at most 292 years of them.
pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A length as a column holds it; nothing where somebody wrote a negative one.
pub(super) fn from_nanos(nanos: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}
