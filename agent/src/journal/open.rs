//! Opening the spool: on disk where that was asked for and can be had, in memory otherwise.

use std::{collections::BTreeMap, path::PathBuf, sync::Mutex, time::Duration};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::AgentInstance;
use nodegrace_spool::{Class, Limits, Moment, OpenError, PerClass, Recovery, Spool};
use prost::Message as _;
use tokio::{sync::watch, task::spawn_blocking, time::timeout};
use tracing::{error, info, warn};

use super::{Entries, Journal, State, Waiting};
use crate::{metrics::Tally, wire};

/// Longest wait for the disk at the start, in real time. Heartbeats that come meanwhile are not timed.
const LONGEST_OPEN: Duration = Duration::from_secs(10);

impl Journal {
    /// The journal of the run `agent`, with its records in `directory`, or in memory without one.
    ///
    /// A directory that cannot be used is said, and everything stays in memory: a node is measured whatever its disk does.
    ///
    /// # Errors
    /// When the bounds are too tight to keep anything.
    pub(crate) async fn open(
        directory: Option<PathBuf>,
        bytes: u64,
        agent: &AgentInstance,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let Some(directory) = directory else {
            return Self::in_memory(bytes, agent, clock);
        };
        let limits = Limits::of_bytes(bytes);
        let holder = format!("process {}", std::process::id());
        let identity = agent.encode_to_vec();
        let now = Moment {
            monotonic: clock.now(),
            wall: clock.wall(),
        };
        let opening =
            spawn_blocking(move || Spool::open(&directory, &holder, &identity, limits, now));
        let error = match timeout(LONGEST_OPEN, opening).await {
            Ok(Ok(Ok(spool))) => {
                tell(&spool);
                return Ok(Self::on(spool, true, clock));
            }
            Ok(Ok(Err(
                failure @ (OpenError::InUse { .. }
                | OpenError::Directory { .. }
                | OpenError::Unlisted(_)
                | OpenError::Unread { .. }),
            ))) => wire::one_line(&failure),
            Ok(Ok(Err(failure))) => return Err(failure).context("spool"),
            Ok(Err(failure)) => return Err(failure).context("spool"),
            Err(_) => "the disk stands still".to_owned(),
        };
        error!(error, "no spool on disk, records are kept in memory only");
        Self::in_memory(bytes, agent, clock)
    }

    /// A journal that is gone with the process.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub(crate) fn in_memory(
        bytes: u64,
        agent: &AgentInstance,
        clock: Clock,
    ) -> anyhow::Result<Self> {
        let spool = Spool::in_memory(&agent.encode_to_vec(), Limits::of_bytes(bytes));
        Ok(Self::on(spool.context("spool")?, false, clock))
    }

    pub(super) fn on(spool: Spool, on_disk: bool, clock: Clock) -> Self {
        let known = spool.ledger();
        Self {
            spool: Mutex::new(spool),
            entries: Mutex::new(Entries {
                newest: 0,
                unwritten: Waiting::default(),
                known,
                in_hand: 0,
                readers: 0,
                moving: false,
                sync: false,
                refused: false,
                acknowledged: BTreeMap::new(),
                state: State::unknown(),
            }),
            on_disk,
            tally: Tally::default(),
            clock,
            changed: watch::Sender::new(()),
            said: Mutex::default(),
        }
    }
}

/// Says what was found.
fn tell(spool: &Spool) {
    let ledger = spool.ledger();
    info!(
        heartbeats = ledger[Class::Heartbeat].held,
        others = ledger[Class::Other].held,
        samples = ledger[Class::Sample].held,
        "spool opened"
    );
    let Recovery {
        torn_segments,
        torn_bytes,
        damaged_spots,
        damaged_bytes,
        unreadable_segments,
        set_aside_files,
        set_aside_bytes,
        dropped,
        state_lost,
    } = spool.recovery();
    if *torn_segments > 0 {
        warn!(
            segments = torn_segments,
            bytes = torn_bytes,
            "the spool ended in torn records, they are cut off"
        );
    }
    if damaged_spots + unreadable_segments > 0 || *state_lost {
        error!(
            damaged_spots,
            damaged_bytes,
            unreadable_segments,
            state_lost,
            lost_heartbeats = ledger[Class::Heartbeat].lost,
            "the spool is damaged, what is whole is kept"
        );
    }
    if *dropped != PerClass::default() {
        error!(
            heartbeats = dropped[Class::Heartbeat],
            others = dropped[Class::Other],
            samples = dropped[Class::Sample],
            "records in the spool were too old or too many, they are dropped"
        );
    }
    if *set_aside_files > 0 {
        warn!(
            files = set_aside_files,
            bytes = set_aside_bytes,
            "files of a newer version in the spool are left alone"
        );
    }
}
