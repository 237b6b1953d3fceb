//! Questions about the whole fleet, which take a while: answered from a clone of it, aside.

use std::sync::Arc;

use nodegrace_core::Fleet;
use tokio::sync::Semaphore;
use tonic::Status;

use crate::{aside, register::Register};

/// Such questions at once. Each keeps one processor busy, for seconds in the largest fleets.
const AT_ONCE: usize = 4;

/// The place where whole-fleet questions are computed.
#[derive(Debug)]
pub(super) struct Computer(Arc<Semaphore>);

impl Computer {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }

    /// What `question` makes of the fleet as it is now.
    ///
    /// # Errors
    /// `RESOURCE_EXHAUSTED` while as many are computed as may be.
    pub(super) async fn answer<T: Send + 'static>(
        &self,
        register: &Register,
        question: impl FnOnce(&Fleet) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let permit = Arc::clone(&self.0).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted("other questions about the whole fleet are being computed")
        })?;
        let fleet = register.fleet();
        let answer = aside::compute(move || {
            let _permit = permit;
            question(&fleet)
        });
        answer.await.map_err(|error| {
            tracing::error!(%error, "a question about the whole fleet was not answered");
            Status::internal("the computation failed")
        })
    }
}
