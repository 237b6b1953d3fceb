//! Where what takes a while is computed: on threads that step back for the others, on which agents' streams and short questions are.

use std::{panic::resume_unwind, thread};

use rustix::process::{getpriority_process, setpriority_process};
use tokio::task::{JoinHandle, spawn_blocking};

/// By how much such a thread is nicer than the process, as in nice(1). An aggregator that is short of processors gives its streams ten
/// times as much, and wakes them at once; with nothing else to do it computes as fast as ever.
const NICER: i32 = 10;
/// Nicest that there is.
const NICEST: i32 = 19;

/// Computes `what` aside. It goes on when nobody waits for it any more.
pub(crate) fn compute<T: Send + 'static>(
    what: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    // A thread of its own, for one that has stepped back may not step forward again. It is waited for where tokio knows of it: so
    // there are not more than it allows, and where its time is paused it stands still meanwhile.
    spawn_blocking(|| {
        let aside = thread::Builder::new().name("aside".to_owned());
        let computing = aside.spawn(|| {
            step_back();
            what()
        });
        let computed = computing.expect("there is room for a thread").join();
        computed.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Lets every other thread of the process go first. For Linux priorities are of threads, whatever POSIX says.
fn step_back() {
    let stepped = getpriority_process(None)
        .and_then(|priority| setpriority_process(None, (priority + NICER).min(NICEST)));
    if let Err(error) = stepped {
        tracing::debug!(%error, "long computations are as urgent as everything else");
    }
}

/// Lets others of these threads go first, and where priorities are not kept also streams and short questions: between two slices of a
/// computation, which may have the only processor, and unasked the system takes that away after milliseconds alone.
pub(crate) fn give_way() {
    thread::yield_now();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_computed_aside_is_nicer_than_the_rest() {
        let here = getpriority_process(None).unwrap();
        let there = compute(|| getpriority_process(None).unwrap());
        assert_eq!(there.await.unwrap(), (here + NICER).min(NICEST));
        assert_eq!(getpriority_process(None).unwrap(), here);
    }

    #[tokio::test]
    async fn a_computation_that_panics_takes_nothing_else_with_it() {
        let failed = compute(|| panic!("on purpose")).await;
        assert!(failed.unwrap_err().is_panic());
        assert_eq!(compute(|| 7).await.unwrap(), 7);
    }
}
