//! What a test logs, to be looked at.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
};

use tracing::{Dispatch, subscriber::DefaultGuard};

/// Listens to nothing. While there is one subscriber only, a place that logs for the first time on another thread is asked
/// for by that thread's, which has none, and then is silent on this one too.
static BESIDE: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

/// What this thread logs.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Notes everything from now on, until the guard is dropped.
    pub(crate) fn listen() -> (Self, DefaultGuard) {
        LazyLock::force(&BESIDE);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// How many lines have these words.
    pub(crate) fn lines(&self, words: &str) -> usize {
        let bytes = self.0.lock().unwrap();
        let log = String::from_utf8_lossy(&bytes);
        log.lines().filter(|line| line.contains(words)).count()
    }

    /// Whether a line of this level has these words.
    pub(crate) fn says(&self, level: &str, words: &str) -> bool {
        let bytes = self.0.lock().unwrap();
        String::from_utf8_lossy(&bytes)
            .lines()
            .any(|line| line.contains(level) && line.contains(words))
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
