//! Opening a spool: in a directory, in memory, or on any files.

use std::{path::Path, sync::Arc};

use super::{Spool, recover::Opening};
use crate::{
    class::PerClass,
    error::OpenError,
    files::{Directory, Files},
    limits::Limits,
    log::Log,
    moment::Moment,
    record::Instance,
    recovery::Recovery,
    replicas::Replicas,
    segment::MOST_IDENTITY,
};

impl Spool {
    /// Opens the spool in a directory, making it when there is none, and begins a new instance. Reads all of it once, to know
    /// what is whole.
    ///
    /// `holder` is who opens it, for the error of whoever comes second; `identity` is the running instance, sent with its
    /// records.
    ///
    /// # Errors
    /// [`OpenError`] when the directory is in use or out of reach, one of its files cannot be read, or an argument makes no sense.
    /// Damage is no error: [`Spool::recovery`] tells it.
    pub fn open(
        directory: &Path,
        holder: &str,
        identity: &[u8],
        limits: Limits,
        now: Moment,
    ) -> Result<Self, OpenError> {
        let files = Directory::lock(directory, holder)?;
        Self::open_on(Box::new(files), identity, limits, now)
    }

    /// Opens a spool that keeps everything in memory, within the same budgets, and forgets it when it is dropped.
    ///
    /// # Errors
    /// [`OpenError`] when an argument makes no sense.
    pub fn in_memory(identity: &[u8], limits: Limits) -> Result<Self, OpenError> {
        Self::empty(None, identity, limits)
    }

    /// Opens the spool on any files: as [`Spool::open`], which locks a directory for it.
    ///
    /// # Errors
    /// [`OpenError`] when the files cannot be listed or read or an argument makes no sense.
    pub fn open_on(
        files: Box<dyn Files>,
        identity: &[u8],
        limits: Limits,
        now: Moment,
    ) -> Result<Self, OpenError> {
        let mut spool = Self::empty(Some(files), identity, limits)?;
        spool.recover(identity, &now)?;
        let before = spool.ledger();
        spool.commit(&now);
        spool.make_room(&now, None);
        let after = spool.ledger();
        spool.recovery.dropped =
            PerClass::from_fn(|class| after[class].dropped - before[class].dropped);
        Ok(spool)
    }

    fn empty(
        files: Option<Box<dyn Files>>,
        identity: &[u8],
        limits: Limits,
    ) -> Result<Self, OpenError> {
        limits.check()?;
        if identity.len() > MOST_IDENTITY {
            return Err(OpenError::IdentityTooLong(identity.len()));
        }
        Ok(Self {
            files,
            logs: PerClass::from_fn(|class| Log::new(class, limits.segment_bytes(class))),
            limits,
            replicas: Replicas::default(),
            instance: Arc::new(Instance {
                number: 1,
                identity: identity.into(),
            }),
            last_sequence: 0,
            stuck: Vec::new(),
            state_changed: false,
            names_changed: true,
            state_generation: 0,
            state_written: 0,
            disk_full: false,
            failures: 0,
            failing: None,
            recovery: Recovery::default(),
        })
    }

    fn recover(&mut self, identity: &[u8], now: &Moment) -> Result<(), OpenError> {
        let Some(mut files) = self.files.take() else {
            return Ok(());
        };
        let result = Opening::new(files.as_mut(), now, self).run(identity);
        self.files = Some(files);
        result
    }
}
