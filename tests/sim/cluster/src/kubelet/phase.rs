//! Where a kubelet's loop is, and how one call of it fares on the connection of the moment.

use std::time::{Duration, SystemTime};

use rand::{Rng, rngs::StdRng};

use super::{
    effect::Effect,
    trouble::{Spell, log_normal},
};
use crate::api::Reach;

/// Client timeout of one attempt of either loop.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a client waits that was told that there are too many requests, before it sends the same once more.
const RETRY_AFTER: Duration = Duration::from_secs(1);

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
    pub(super) sent: Duration,
    /// When it reaches the server; none: never, or it has.
    pub(super) arrives: Option<Duration>,
    /// When the kubelet stops waiting, and whether it has an answer then.
    pub(super) ends: Duration,
    pub(super) answered: bool,
    /// Refusals that it met on its way: requests, and the code of their answers.
    pub(super) refused: Option<(u32, u16)>,
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

    /// The kubelet's timers stand still for so long.
    pub(super) fn shift(&mut self, by: Duration) {
        match self {
            Self::Asleep(at, _) | Self::Computing(at) => *at += by,
            Self::Calling(call) => call.ends += by,
        }
    }
}

impl Call {
    /// Sends a call stamped `stamp`; `spells` are those in force.
    pub(super) fn send(
        now: Duration,
        stamp: SystemTime,
        attempt: u32,
        reach: Reach,
        spells: &[Spell],
        random: &mut StdRng,
    ) -> Self {
        let round_trip = Duration::from_secs_f64(log_normal(random, 0.006, 0.6).min(0.5));
        let mut call = Self {
            stamp,
            attempt,
            sent: now,
            arrives: Some(now + round_trip / 2),
            ends: now + round_trip,
            answered: true,
            refused: None,
        };
        if reach == Reach::Refusing {
            call.fails();
        } else if reach == Reach::Silent || spells.iter().any(|it| it.effect.loses_requests()) {
            call.is_lost();
        } else {
            for spell in spells {
                match spell.effect {
                    Effect::Lossy => call.meets_losses(random),
                    Effect::ApiSlow => call.meets_delay(spell.strength(), random),
                    Effect::ApiErrors(code) => call.is_refused(code, spell.end),
                    _ => {}
                }
            }
        }
        call
    }

    fn meets_losses(&mut self, random: &mut StdRng) {
        match random.random_range(0..10) {
            0..5 => self.is_lost(),
            // The server does it and the answer is lost.
            5..7 => self.times_out(),
            // Sent again and again by TCP until it gets through.
            _ => self.takes(Duration::from_secs_f64(random.random_range(0.4..9.0))),
        }
    }

    /// A server with slow writes: some take longer than the client waits, and are given up by both.
    fn meets_delay(&mut self, strength: f64, random: &mut StdRng) {
        let late = log_normal(random, 6.5 + 2.5 * strength, 0.1);
        if late < CALL_TIMEOUT.as_secs_f64() {
            self.takes(Duration::from_secs_f64(late));
        } else {
            self.is_lost();
        }
    }

    /// Refused until `until`.
    fn is_refused(&mut self, code: u16, until: Duration) {
        if code != 429 {
            self.fails();
            self.refused = Some((1, code));
            return;
        }
        // The client sends the same again every second, with the stamp it has.
        let mut requests = 1;
        let mut at = self.sent;
        while at < until && at < self.sent + CALL_TIMEOUT {
            at += RETRY_AFTER;
            requests += 1;
        }
        self.refused = Some((requests - 1, code));
        if at < self.sent + CALL_TIMEOUT {
            self.takes(at - self.sent);
        } else {
            self.is_lost();
        }
    }

    /// Takes so much longer.
    fn takes(&mut self, longer: Duration) {
        self.arrives = self.arrives.map(|at| at + longer);
        self.ends += longer;
    }

    /// Comes back at once without success.
    fn fails(&mut self) {
        self.arrives = None;
        self.answered = false;
    }

    fn is_lost(&mut self) {
        self.arrives = None;
        self.times_out();
    }

    fn times_out(&mut self) {
        self.ends = self.sent + CALL_TIMEOUT;
        self.answered = false;
    }
}
