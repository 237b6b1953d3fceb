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
            stood.send_replace(Some(Span { start, end: now }));
        }
    }

    /// Feels it from now on.
    pub(super) fn feel(&self) -> Feeling {
        self.look();
        Feeling {
            stood: self.0.stood.subscribe(),
            pulse: self.clone(),
        }
    }
}

/// The pulse as one watch feels it.
#[derive(Debug)]
pub(super) struct Feeling {
    pulse: Pulse,
    stood: watch::Receiver<Option<Span>>,
}

impl Feeling {
    /// Looks at the clock. Returns when the agent last stood still, if it did so since it was asked for that.
    pub(super) fn check(&mut self) -> Option<Span> {
        self.pulse.look();
        let news = self.stood.has_changed().unwrap_or(false);
        self.stood.borrow_and_update().filter(|_| news)
    }

    /// Waits for something. Tells with its outcome when the agent last stood still meanwhile, if it did.
    pub(super) async fn during<T>(
        &mut self,
        awaited: impl Future<Output = T>,
    ) -> (T, Option<Span>) {
        let mut awaited = pin!(awaited);
        let mut stood = None;
        loop {
            tokio::select! {
                biased;
                outcome = &mut awaited => return (outcome, self.check().or(stood)),
                span = self.stall() => stood = Some(span),
            }
        }
    }

    /// Waits for the agent to have stood still.
    pub(super) async fn stall(&mut self) -> Span {
        loop {
            // It holds a sender itself.
            let _: Result<(), _> = self.stood.changed().await;
            if let Some(span) = *self.stood.borrow_and_update() {
                return span;
            }
        }
    }
}
