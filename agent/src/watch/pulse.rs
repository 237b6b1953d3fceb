//! Whether the agent itself was awake: a process that is stopped, starved or suspended sees events long after they arrived.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use nodegrace_clock::{Beat, Clock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::sight::lasting;
use crate::observe::Span;

/// How often the agent looks at its clock while nothing happens, in real time. Most of what an idle agent takes of a processor is
/// waking up, so that it does so once for all of its watches, and whatever can wait for that moment does.
const TICK: Duration = Duration::from_millis(500);
/// Time between two looks, in real time, above which the agent stood still. A second beyond the tick: less is what a busy
/// node's scheduler does, and no more than the delivery of an event may take.
const STALL: Duration = Duration::from_millis(1500);

/// What makes the agent look at its clock.
pub(crate) struct Heart {
    pulse: Pulse,
    beat: Beat,
}

impl Heart {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self {
            beat: Beat::every(clock, lasting(clock, TICK)),
            pulse: Pulse::new(clock.clone()),
        }
    }

    /// The pulse that it makes.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Beats until `shutdown`.
    pub(crate) async fn beat(mut self, shutdown: CancellationToken) {
        let beating = async {
            loop {
                self.beat.next().await;
                self.pulse.look();
            }
        };
        shutdown.run_until_cancelled(beating).await;
    }
}

/// The agent's own pulse, the same for each of its watches. It means nothing where no [`Heart`] beats.
#[derive(Clone, Debug)]
pub(crate) struct Pulse(Arc<Looks>);

#[derive(Debug)]
struct Looks {
    clock: Clock,
    /// When the agent last looked at its clock.
    last: Mutex<Duration>,
    /// When it last stood still. `None`: it never did.
    stood: watch::Sender<Option<Span>>,
}

impl Pulse {
    fn new(clock: Clock) -> Self {
        Self(Arc::new(Looks {
            last: Mutex::new(clock.now()),
            clock,
            stood: watch::Sender::new(None),
        }))
    }

    /// The clock that it looks at.
    pub(super) fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    /// Looks at the clock, and tells everybody who feels the pulse if the agent stood still since the last look.
    fn look(&self) {
        let Looks { clock, last, stood } = &*self.0;
        let (start, now) = {
            let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
            let now = clock.now();
            (std::mem::replace(&mut *last, now), now)
        };
        if now.saturating_sub(start) > lasting(clock, STALL) {
            stood.send_modify(|stood| {
                // Whoever was not told in between has not seen it awake: it is one standstill.
                let earlier = stood.filter(|earlier| earlier.end == start);
                let start = earlier.map_or(start, |earlier| earlier.start);
                *stood = Some(Span { start, end: now });
            });
        }
    }

    /// Feels it from now on.
    pub(super) fn feel(&self) -> Feeling {
        self.look();
        Feeling {
            stood: self.0.stood.subscribe(),
            told: Duration::ZERO,
            pulse: self.clone(),
        }
    }
}

/// The pulse as one watch feels it.
#[derive(Debug)]
pub(super) struct Feeling {
    pulse: Pulse,
    stood: watch::Receiver<Option<Span>>,
    /// Until when standstills were told.
    told: Duration,
}

impl Feeling {
    /// Looks at the clock. Returns when the agent last stood still, if it did so since it was asked for that.
    pub(super) fn check(&mut self) -> Option<Span> {
        self.pulse.look();
        let news = self.stood.has_changed().unwrap_or(false);
        if news { self.tell() } else { None }
    }

    /// The news, without what was told before.
    fn tell(&mut self) -> Option<Span> {
        let Span { start, end } = (*self.stood.borrow_and_update())?;
        let start = start.max(self.told);
        self.told = end;
        Some(Span { start, end })
    }

    /// Waits for something. Tells with its outcome when the agent stood still meanwhile, if it did.
    pub(super) async fn during<T>(
        &mut self,
        awaited: impl Future<Output = T>,
    ) -> (T, Option<Span>) {
        let mut awaited = pin!(awaited);
        let mut first = None;
        // From the first one to the end of the last one: in between nothing was seen to come, either.
        let since = |first: Option<Span>, last: Span| Span {
            start: first.map_or(last.start, |first| first.start),
            end: last.end,
        };
        loop {
            tokio::select! {
                biased;
                outcome = &mut awaited => {
                    let stood = self.check().map(|last| since(first, last));
                    return (outcome, stood.or(first));
                }
                span = self.stall() => first = Some(since(first, span)),
            }
        }
    }

    /// Waits for the agent to have stood still.
    pub(super) async fn stall(&mut self) -> Span {
        loop {
            // It holds a sender itself.
            let _: Result<(), _> = self.stood.changed().await;
            if let Some(span) = self.tell() {
                return span;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// A pulse that was felt since 10 s.
    async fn felt() -> (Clock, Pulse, Feeling) {
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        advance(Duration::from_secs(10)).await;
        let pulse = Pulse::new(clock.clone());
        let feeling = pulse.feel();
        (clock, pulse, feeling)
    }

    /// A standstill of so many seconds, seen by the beat.
    async fn stand_still(pulse: &Pulse, seconds: u64) {
        advance(Duration::from_secs(seconds)).await;
        pulse.look();
    }

    fn took(span: Option<Span>) -> Option<u64> {
        span.map(|span| (span.end - span.start).as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn two_standstills_in_a_row_are_one_for_whoever_did_not_wake_in_between() {
        let (clock, pulse, mut feeling) = felt().await;
        let start = clock.now();
        stand_still(&pulse, 20).await;
        stand_still(&pulse, 3).await;
        let span = feeling.check().unwrap();
        assert_eq!((span.start, span.end), (start, clock.now()));
        assert_eq!(feeling.check(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_of_a_standstill_is_not_told_again_with_the_next() {
        let (_, pulse, mut early) = felt().await;
        let mut late = pulse.feel();
        stand_still(&pulse, 20).await;
        assert_eq!(took(Some(early.stall().await)), Some(20));
        stand_still(&pulse, 3).await;
        assert_eq!(took(early.check()), Some(3));
        assert_eq!(took(late.check()), Some(23));
    }

    #[tokio::test(start_paused = true)]
    async fn awake_in_between_it_stood_still_twice() {
        let (_, pulse, mut feeling) = felt().await;
        stand_still(&pulse, 20).await;
        stand_still(&pulse, 1).await;
        stand_still(&pulse, 3).await;
        assert_eq!(took(feeling.check()), Some(3));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_through_several_is_told_from_the_first_one_on() {
        let (_, pulse, mut feeling) = felt().await;
        let waited = async {
            for seconds in [20, 1, 3] {
                stand_still(&pulse, seconds).await;
                tokio::task::yield_now().await;
            }
        };
        let ((), stood) = feeling.during(waited).await;
        assert_eq!(took(stood), Some(24));
    }
}
