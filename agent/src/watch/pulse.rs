//! Whether the agent itself was awake: a process that is stopped, starved or suspended sees events long after they arrived.

use std::{pin::pin, time::Duration};

use nodegrace_clock::{Beat, Clock};

use super::sight::lasting;
use crate::observe::Span;

/// How often the agent looks at its clock while nothing happens, in real time. Most of what an idle agent takes of a processor is
/// waking up, so that this is a beat and no row of sleeps.
const TICK: Duration = Duration::from_millis(500);
/// Time between two looks, in real time, above which the agent stood still. A second beyond the tick: less is what a busy
/// node's scheduler does, and no more than the delivery of an event may take.
const STALL: Duration = Duration::from_millis(1500);

/// The agent's own pulse.
#[derive(Debug)]
pub(super) struct Pulse {
    clock: Clock,
    beat: Beat,
    /// When the agent last looked at its clock.
    last: Duration,
}

impl Pulse {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            last: clock.now(),
            beat: Beat::every(&clock, lasting(&clock, TICK)),
            clock,
        }
    }

    /// Looks at the clock. Returns the time since the last look if the agent stood still then.
    pub(super) fn check(&mut self) -> Option<Span> {
        let now = self.clock.now();
        let start = std::mem::replace(&mut self.last, now);
        let stalled = now.saturating_sub(start) > lasting(&self.clock, STALL);
        stalled.then_some(Span { start, end: now })
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
            self.beat.next().await;
            if let Some(span) = self.check() {
                return span;
            }
        }
    }
}
