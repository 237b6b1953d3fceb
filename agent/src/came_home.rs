//! What becomes of a task that ended.

use std::panic::resume_unwind;

use tokio::task::JoinError;

/// What a task ended with. One that failed takes the agent with it: nobody would know that its work is not done any more. `None`: it was
/// cancelled.
pub(crate) fn came_home<T>(ended: Result<T, JoinError>) -> Option<T> {
    match ended.map_err(JoinError::try_into_panic) {
        Ok(done) => Some(done),
        Err(Ok(panic)) => resume_unwind(panic),
        Err(Err(_)) => None,
    }
}
