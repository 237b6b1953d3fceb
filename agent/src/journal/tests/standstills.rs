//! What the journal does while its disk stands still, and when whoever uses it fails.

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    super::*,
    beat,
    fickle::{Fickle, Manner},
};

#[tokio::test(start_paused = true)]
async fn whoever_fails_at_moving_records_takes_the_agent_with_it() {
    let directory = TempDir::new().unwrap();
    let disk = Fickle::at(directory.path());
    let journal = disk.journal();
    let keeping = tokio::spawn(Arc::clone(&journal).keep(CancellationToken::new()));
    tokio::task::yield_now().await;
    disk.behave(Manner::Panics);
    journal.learn(beat());
    let ended = keeping.await;
    assert!(ended.is_err_and(|failure| failure.is_panic()));
}
