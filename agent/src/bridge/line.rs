//! Those who ask the same: the first makes the runtime be asked, and whoever comes before it may be asked again shares
//! that answer.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::watch;
use tonic::Status;

use super::{pace::Pace, service::not_asked};

/// What the runtime said.
#[derive(Debug)]
pub(super) struct Answer<T> {
    /// What is left of it, or of its failure.
    pub(super) outcome: Result<T, Status>,
    /// How long the runtime took.
    pub(super) took: Duration,
    /// When that ended, on the clock.
    pub(super) end: Duration,
}

/// Where an answer is left for all who wait.
pub(super) type Promise<T> = watch::Sender<Option<Arc<Answer<T>>>>;

/// Where it is found.
type Promised<T> = watch::Receiver<Option<Arc<Answer<T>>>>;

/// Those who ask for one thing.
#[derive(Debug)]
pub(super) struct Line<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    pace: Pace,
    /// The last answer, or that to come. Absent: nobody has asked yet.
    last: Option<Promised<T>>,
}

impl<T> Line<T> {
    /// Nobody.
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            pace: Pace::default(),
            last: None,
        }))
    }

    /// The answer that somebody gets who asks at `now`; `ask` makes the runtime be asked.
    ///
    /// # Errors
    /// Those of `ask`.
    fn join(
        &self,
        now: Duration,
        ask: impl FnOnce(Promise<T>) -> Result<(), Status>,
    ) -> Result<Promised<T>, Status> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        // The first one is always in time.
        if let Some(last) = &state.last {
            let said = last.borrow().clone();
            let begins = said.is_some_and(|said| state.pace.allows(now, said.end, said.took));
            if !begins {
                return Ok(last.clone());
            }
        }
        let (promise, promised) = watch::channel(None);
        ask(promise)?;
        state.pace.begins(now);
        state.last = Some(promised.clone());
        Ok(promised)
    }

    /// Waits for the answer of [`Line::join`].
    ///
    /// # Errors
    /// Those of `ask`, or that nobody answers any more.
    pub(super) async fn wait(
        &self,
        now: Duration,
        ask: impl FnOnce(Promise<T>) -> Result<(), Status>,
    ) -> Result<Arc<Answer<T>>, Status> {
        let mut promised = self.join(now, ask)?;
        let answer = promised.wait_for(Option::is_some).await;
        let answer = answer.ok().and_then(|answer| answer.clone());
        answer.ok_or_else(|| not_asked("the bridge stops"))
    }
}
