//! What was said of tokens, remembered for a while by a digest of each and never by the token itself.
//!
//! One question is under way for all who wait for its answer; when the last of them goes, it goes as well, and the token with it.
//! What was good once counts on while nobody can be asked: an API server that is down is what agents report of, and what people
//! look for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Either, Ready, Shared, WeakShared, ready},
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

/// What somebody said.
pub(super) type Answer<T> = Result<Confirmed<T>, Refusal>;

/// A question under way, for all who wait for its answer.
pub(super) type Question<T> = Shared<BoxFuture<'static, Answer<T>>>;

/// What was said.
pub(super) struct Memory<T: Clone> {
    clock: Clock,
    known: Arc<Mutex<HashMap<Digest, Known<T>>>>,
}

/// What is known about a token.
struct Known<T: Clone> {
    /// What was said last, and when that was asked. Absent: nothing yet.
    told: Option<(Duration, Answer<T>)>,
    /// The question under way, held by those who wait for it and drive it: one that was held here as well would last when they are gone,
    /// with its token and its place among those that are asked. Absent: there is none.
    asked: Option<WeakShared<BoxFuture<'static, Answer<T>>>>,
}

impl<T: Clone> Known<T> {
    /// What need not be asked again.
    fn held(&self, now: Duration) -> Option<&Answer<T>> {
        let (since, answer) = self.told.as_ref()?;
        let lasts = match answer {
            Ok(confirmed) if confirmed.at >= *since => GOOD_FOR,
            Ok(_) => PAUSE,
            Err(Refusal::Unauthenticated(_) | Refusal::Forbidden(_)) => BAD_FOR,
            Err(Refusal::Unknown(_)) => Duration::ZERO,
        };
        (now.saturating_sub(*since) < lasts).then_some(answer)
    }

    /// The good answer that counts while there is no other.
    fn good(&self, now: Duration) -> Option<&Confirmed<T>> {
        let (_, answer) = self.told.as_ref()?;
        let confirmed = answer.as_ref().ok()?;
        (now.saturating_sub(confirmed.at) < UNTOLD_FOR).then_some(confirmed)
    }

    /// The question that somebody waits for.
    fn question(&self) -> Option<Question<T>> {
        self.asked.as_ref()?.upgrade()
    }

    /// Whether it is of any use still.
    fn is_of_use(&self, now: Duration) -> bool {
        self.held(now).is_some() || self.good(now).is_some() || self.question().is_some()
    }
}

impl<T: Clone + Send + Sync + 'static> Memory<T> {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Arc::default(),
        }
    }

    /// What is known of `token`, or what `ask` says, which is asked only as long as somebody waits for it.
    pub(super) fn recall(
        &self,
        token: &str,
        ask: impl Future<Output = Result<T, Refusal>> + Send + 'static,
    ) -> Either<Ready<Answer<T>>, Question<T>> {
        let mut digits = Digest::default();
        digits.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let now = self.clock.now();
        let mut known = lock(&self.known);
        if let Some(one) = known.get(&digits) {
            if let Some(answer) = one.held(now) {
                return Either::Left(ready(answer.clone()));
            }
            if let Some(question) = one.question() {
                return Either::Right(question);
            }
        }
        if known.len() >= MOST_KNOWN {
            make_room(&mut known, now);
        }
        let one = known.entry(digits).or_insert(Known {
            told: None,
            asked: None,
        });
        let before = one.good(now).cloned();
        let all = Arc::clone(&self.known);
        let question = async move {
            let answer = match (ask.await, before) {
                (Ok(what), _) => Ok(Confirmed { what, at: now }),
                (Err(Refusal::Unknown(_)), Some(before)) => Ok(before),
                (Err(refusal), _) => Err(refusal),
            };
            // One that had to make room meanwhile is asked about again.
            if let Some(one) = lock(&all).get_mut(&digits) {
                one.told = Some((now, answer.clone()));
                one.asked = None;
            }
            answer
        };
        let question = question.boxed().shared();
        one.asked = question.downgrade();
        Either::Right(question)
    }
}

fn lock<T: Clone>(
    known: &Mutex<HashMap<Digest, Known<T>>>,
) -> MutexGuard<'_, HashMap<Digest, Known<T>>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::{future::pending, time::UNIX_EPOCH};

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

    #[tokio::test(start_paused = true)]
    async fn a_question_that_nobody_waits_for_is_gone_with_all_it_holds() {
        let memory = memory();
        let held = Arc::new("a token");
        let ask = |held: Arc<_>| async move {
            pending::<()>().await;
            drop(held);
            unknown()
        };
        let first = memory.recall("token", ask(Arc::clone(&held)));
        assert!(first.clone().now_or_never().is_none());
        let second = memory.recall("token", async { panic!("it is under way") });
        drop(first);
        assert_eq!(Arc::strong_count(&held), 2, "the second waits");
        drop(second);
        assert_eq!(Arc::strong_count(&held), 1, "nobody waits");
        good(&memory, "token").await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_cut_off_leaves_the_good_answer_before_it() {
        let memory = memory();
        good(&memory, "token").await;
        memory.clock.sleep(GOOD_FOR).await;
        let cut_off = memory.recall("token", pending()).now_or_never();
        assert!(cut_off.is_none());
        let answer = memory.recall("token", async { unknown() }).await;
        assert_eq!(answer.unwrap().what, 7);
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_are_cut_off_take_no_more_room_than_there_is_and_nobodys_place() {
        let memory = memory();
        good(&memory, "good").await;
        for number in 0..2 * MOST_KNOWN {
            let cut_off = memory.recall(&number.to_string(), pending());
            assert!(cut_off.now_or_never().is_none());
        }
        let known = memory.known.lock().unwrap().len();
        assert!(known <= MOST_KNOWN, "{known}");
        let answer = memory.recall("good", async { unknown() }).await;
        assert_eq!(answer.unwrap().what, 7, "it is known still");
    }
}
