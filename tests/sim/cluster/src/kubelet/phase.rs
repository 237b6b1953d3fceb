//! Where a kubelet's loop is, and how one call of it fares on the connection of the moment.

use std::time::{Duration, SystemTime};

use rand::{Rng, rngs::StdRng};

use super::trouble::{Effect, log_normal};
use crate::api::Reach;

/// Client timeout of one attempt of either loop.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Where a loop is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Asleep until then; the attempt it will make next.
    Asleep(Duration, u32),
    /// Asks the runtime until then (status only).
    Computing(Duration),
    /// A call is under way.
    Calling(Call),
}

/// One attempt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Call {
    pub(super) stamp: SystemTime,
    pub(super) attempt: u32,
    /// When it reaches the server; none: never, or it has.
    pub(super) arrives: Option<Duration>,
    /// When the kubelet stops waiting, and whether it has an answer then.
    pub(super) ends: Duration,
    pub(super) answered: bool,
}

impl Phase {
    /// When something happens next.
    pub(super) fn due(self) -> Duration {
        match self {
            Self::Asleep(until, _) | Self::Computing(until) => until,
            Self::Calling(call) => call.arrives.unwrap_or(call.ends),
        }
    }

    /// The kubelet cannot act before `until`; what is on the network goes on.
    pub(super) fn postpone(&mut self, until: Duration) {
        match self {
            Self::Asleep(at, _) | Self::Computing(at) => *at = until.max(*at),
            Self::Calling(call) => call.ends = until.max(call.ends),
        }
    }
}

impl Call {
    /// Sends a call stamped `stamp`; `effects` are the spells in force.
    pub(super) fn send(
        now: Duration,
        stamp: SystemTime,
        attempt: u32,
        reach: Reach,
        effects: &[Effect],
        random: &mut StdRng,
    ) -> Self {
        let round_trip = Duration::from_secs_f64(log_normal(random, 0.006, 0.6).min(0.5));
        let mut call = Self {
            stamp,
            attempt,
            arrives: Some(now + round_trip / 2),
            ends: now + round_trip,
            answered: true,
        };
        if reach == Reach::Refusing {
            call.arrives = None;
            call.answered = false;
        } else if reach == Reach::Silent || effects.contains(&Effect::Disconnected) {
            call.arrives = None;
            call.times_out(now);
        } else if effects.contains(&Effect::Lossy) {
            match random.random_range(0..10) {
                0..5 => {
                    call.arrives = None;
                    call.times_out(now);
                }
                // The server does it and the answer is lost.
                5..7 => call.times_out(now),
                // Sent again and again by TCP until it gets through.
                _ => {
                    let late = Duration::from_secs_f64(random.random_range(0.4..9.0));
                    call.arrives = Some(now + late);
                    call.ends = now + late + round_trip / 2;
                }
            }
        }
        call
    }

    fn times_out(&mut self, now: Duration) {
        self.ends = now + CALL_TIMEOUT;
        self.answered = false;
    }
}
