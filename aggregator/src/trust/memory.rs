//! What was said of tokens, remembered for a while by a digest of each and never by the token itself.
//!
//! One question is under way for all who wait for its answer. What was good once counts on while nobody can be asked: an API
//! server that is down is what agents report of, and what people look for.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use nodegrace_clock::Clock;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};

use super::Refusal;

/// For how long a token is taken for good without asking: agents that come back after a break in the network are known.
const GOOD_FOR: Duration = Duration::from_secs(120);
/// For how long a token is taken for bad without asking: what was forbidden may be put right, and nobody should wait for that.
const BAD_FOR: Duration = Duration::from_secs(10);
/// For how long a good answer counts while nobody gives another one: as long as a pod's token lasts.
const UNTOLD_FOR: Duration = Duration::from_secs(3600);
/// Pause before somebody who could not tell is asked again about what was good before.
pub(super) const PAUSE: Duration = Duration::from_secs(30);
/// Tokens remembered: ten times the agents of the largest cluster that Kubernetes promises. Each takes some 300 bytes.
const MOST_KNOWN: usize = 50_000;
/// How many go at once when there are too many, so that not every one that comes is a look at all.
const MOST_FORGOTTEN: usize = MOST_KNOWN / 10;

type Digest = [u8; SHA256_OUTPUT_LEN];

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Confirmed<T> {
    /// What it says.
    pub(crate) what: T,
    /// When it was asked for, on the aggregator's clock: longer ago than usual while nobody can be asked again.
    pub(crate) at: Duration,
}

/// An answer that may still be under way.
pub(super) type Answer<T> = Shared<BoxFuture<'static, Result<Confirmed<T>, Refusal>>>;

/// What was said.
pub(super) struct Memory<T: Clone> {
    clock: Clock,
    known: Mutex<HashMap<Digest, Known<T>>>,
}

/// What was asked about a token, and since when.
struct Known<T: Clone> {
    since: Duration,
    answer: Answer<T>,
}

impl<T: Clone> Known<T> {
    /// Whether it need not be asked again.
    fn holds(&self, now: Duration) -> bool {
        let age = now.saturating_sub(self.since);
        match self.answer.peek() {
            None => true,
            Some(Ok(confirmed)) if confirmed.at >= self.since => age < GOOD_FOR,
            Some(Ok(_)) => age < PAUSE,
            Some(Err(Refusal::Unauthenticated(_) | Refusal::Forbidden(_))) => age < BAD_FOR,
            Some(Err(Refusal::Unknown(_))) => false,
        }
    }

    /// The good answer that counts while there is no other.
    fn good(&self, now: Duration) -> Option<&Confirmed<T>> {
        let confirmed = self.answer.peek()?.as_ref().ok()?;
        (now.saturating_sub(confirmed.at) < UNTOLD_FOR).then_some(confirmed)
    }

    /// Whether it is of any use still.
    fn is_of_use(&self, now: Duration) -> bool {
        self.holds(now) || self.good(now).is_some()
    }
}

impl<T: Clone + Send + Sync + 'static> Memory<T> {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// What is known of `token`, or what `ask` says.
    pub(super) fn recall(
        &self,
        token: &str,
        ask: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Answer<T> {
        let mut digits = Digest::default();
        digits.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let now = self.clock.now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = known.get(&digits).filter(|one| one.holds(now)) {
            return one.answer.clone();
        }
        let before = known.get(&digits).and_then(|one| one.good(now)).cloned();
        if known.len() >= MOST_KNOWN {
            make_room(&mut known, now);
        }
        let answer = async move {
            match (ask.await, before) {
                (Ok(what), _) => Ok(Confirmed { what, at: now }),
                (Err(Refusal::Unknown(_)), Some(before)) => Ok(before),
                (Err(refusal), _) => Err(refusal),
            }
        };
        let answer = answer.boxed().shared();
        let one = Known {
            since: now,
            answer: answer.clone(),
        };
        known.insert(digits, one);
        answer
    }
}

/// Lets go of what is of no use, and when that is little, of tokens that are not known to be good: whoever makes up tokens must not
/// take the places of those who have some.
fn make_room<T: Clone>(known: &mut HashMap<Digest, Known<T>>, now: Duration) {
    known.retain(|_, one| one.is_of_use(now));
    let mut excess = known.len().saturating_sub(MOST_KNOWN - MOST_FORGOTTEN);
    known.retain(|_, one| {
        let goes = excess > 0 && one.good(now).is_none();
        excess -= usize::from(goes);
        !goes
    });
    // Whichever it is, a question more is all it costs.
    let any = known.keys().next().copied();
    if let Some(any) = any.filter(|_| known.len() >= MOST_KNOWN) {
        known.remove(&any);
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn memory() -> Memory<u32> {
        Memory::new(Clock::scaled(1.0, UNIX_EPOCH))
    }

    async fn good(memory: &Memory<u32>, token: &str) {
        memory.recall(token, async { Ok(7) }).await.unwrap();
    }

    fn unknown() -> Result<u32, Refusal> {
        Err(Refusal::Unknown("nobody".into()))
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_good_counts_on_for_an_hour_while_nobody_can_be_asked() {
        let memory = memory();
        let asked = memory.clock.now();
        good(&memory, "token").await;
        for _ in 0..59 {
            memory.clock.sleep(Duration::from_secs(60)).await;
            let answer = memory.recall("token", async { unknown() }).await;
            assert_eq!(answer.unwrap().at, asked);
        }
        memory.clock.sleep(Duration::from_secs(60)).await;
        let answer = memory.recall("token", async { unknown() }).await;
        assert!(matches!(answer, Err(Refusal::Unknown(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_ends_what_was_good_before() {
        let memory = memory();
        good(&memory, "token").await;
        memory.clock.sleep(GOOD_FOR).await;
        let refused = Err(Refusal::Forbidden("no more".into()));
        let answer = memory.recall("token", async { refused }).await;
        assert!(answer.is_err());
        memory.clock.sleep(BAD_FOR).await;
        let answer = memory.recall("token", async { unknown() }).await;
        assert!(matches!(answer, Err(Refusal::Unknown(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_made_up_take_no_more_room_than_there_is_and_nobodys_place() {
        let memory = memory();
        good(&memory, "good").await;
        for number in 0..2 * MOST_KNOWN {
            let refused = Err(Refusal::unauthenticated("made up"));
            let token = number.to_string();
            assert!(memory.recall(&token, async { refused }).await.is_err());
        }
        let known = memory.known.lock().unwrap().len();
        assert!(known <= MOST_KNOWN, "{known}");
        let answer = memory.recall("good", async { unknown() }).await;
        assert_eq!(answer.unwrap().what, 7, "it is known still");
    }
}
