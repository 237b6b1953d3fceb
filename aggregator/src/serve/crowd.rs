//! So many tasks for peers that nothing is known of, and no more: whoever comes when all places are taken gets that of the one
//! who has been there longest. Honest peers are done in milliseconds, so it is hardly ever one of them.

use std::collections::VecDeque;

use tokio::task::{AbortHandle, JoinSet};

/// The tasks, of which there is a most.
#[derive(Debug)]
pub(super) struct Crowd<T> {
    tasks: JoinSet<T>,
    /// Those that may still run, the oldest first.
    order: VecDeque<AbortHandle>,
    most: usize,
}

impl<T: Send + 'static> Crowd<T> {
    /// Nobody, and room for `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            tasks: JoinSet::new(),
            order: VecDeque::new(),
            most,
        }
    }

    /// Starts a task, in place of the oldest one when there is no room. True: it took that one's place.
    pub(super) fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) -> bool {
        if self.order.len() >= self.most {
            self.order.retain(|other| !other.is_finished());
        }
        let oldest = (self.order.len() >= self.most)
            .then(|| self.order.pop_front())
            .flatten();
        if let Some(oldest) = &oldest {
            oldest.abort();
        }
        self.order.push_back(self.tasks.spawn(task));
        oldest.is_some()
    }

    /// Waits for a task that comes to its end. Absent: there is none.
    pub(super) async fn join_next(&mut self) -> Option<T> {
        loop {
            // One that had to go, or failed, has nothing to say.
            if let Ok(outcome) = self.tasks.join_next().await? {
                return Some(outcome);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn those_who_never_end_lose_their_places_to_those_who_come() {
        let mut crowd = Crowd::new(2);
        assert!(!crowd.spawn(pending().boxed()));
        assert!(!crowd.spawn(pending().boxed()));
        for number in 0..100 {
            crowd.spawn(ready(number).boxed());
            assert_eq!(crowd.join_next().await, Some(number));
        }
        assert!(crowd.order.len() <= 2);
    }

    #[tokio::test]
    async fn whoever_is_done_takes_no_place() {
        let mut crowd = Crowd::new(2);
        crowd.spawn(pending().boxed());
        for number in 0..100 {
            assert!(!crowd.spawn(ready(number).boxed()), "nobody had to go");
            assert_eq!(crowd.join_next().await, Some(number));
        }
    }
}
