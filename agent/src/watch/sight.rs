//! Losing sight of the channel and regaining it: what is logged, noted in the journal, and when a spell began.

use std::time::Duration;

use nodegrace_clock::Clock;
use nodegrace_proto::v1::BlindReason;
use tracing::{info, warn};

use super::Follower;
use crate::{
    moment::Moment,
    observe::{Observer, Span, Trouble},
};

/// Longest time without a watch, in real time, that is nothing to tell: one that ends in time is opened again within a few
/// round trips.
const SLOW: Duration = Duration::from_millis(250);

impl<O: Observer> Follower<O> {
    /// The channel cannot be seen since `since`. Logged when that is news.
    pub(super) fn lose(&mut self, since: Duration, trouble: Trouble) {
        let (reason, error) = (trouble.reason.as_str_name(), trouble.message.clone());
        if self.outlook.lose(since, trouble) {
            warn!(
                channel = self.channel(),
                reason, error, "cannot see the channel, trying again"
            );
        }
        self.tell_view();
    }

    /// The channel is seen from `now` on. Writes down the spell, if there was one.
    pub(super) fn regain(&mut self, now: Duration, resumed: bool) {
        let Some((spell, span)) = self.outlook.regain(now, resumed) else {
            return;
        };
        let blind_seconds = (span.end - span.start).as_secs_f64();
        info!(
            channel = self.channel(),
            blind_seconds, resumed, "sees the channel again"
        );
        self.spell = Some(span);
        self.journal.spell(spell);
        self.show();
    }

    /// The API server answers: news to the other watches if it did not before.
    pub(super) fn is_answered(&self) {
        if self.outlook.is_blind() {
            self.fellows.tell();
        }
    }

    /// The agent itself stood still during `span`: what came since the channel was last surely seen, at `since`, waited for it,
    /// and when it came is not known.
    pub(super) fn stood_still(&mut self, since: Duration, span: Span) {
        let stood = Duration::from_secs((span.end - span.start).as_secs());
        let trouble = Trouble {
            reason: BlindReason::AgentStalled,
            message: format!(
                "the agent stood still for {}",
                humantime::format_duration(stood)
            ),
        };
        self.lose(since, trouble);
    }

    /// The watch was opened at `opened`, after the channel was last surely seen: what came in between was held up if that took
    /// long. Nothing to tell when it cannot be seen anyway.
    pub(super) fn slowly_opened(&mut self, opened: Duration) {
        let took = opened.saturating_sub(self.sure);
        if took <= lasting(&self.clock, SLOW) || self.outlook.is_blind() {
            return;
        }
        let took = Duration::from_millis(took.as_millis() as u64);
        let trouble = Trouble {
            reason: BlindReason::Connection,
            message: format!(
                "the watch took {} to open",
                humantime::format_duration(took)
            ),
        };
        self.lose(self.sure, trouble);
    }

    /// Shows whether the object is there, now that it is known.
    pub(super) fn show(&mut self) {
        if self.seen.is_some() {
            self.outlook.present();
        } else {
            self.outlook.absent(format!(
                "there is no {} {}",
                self.target.kind, self.target.name
            ));
        }
        self.tell_view();
    }

    /// The last moment before which a watch that failed at `at` surely told every event: the keepalive takes its interval and
    /// its timeout, in real time, to notice silence. Where nothing pings, only events prove anything.
    pub(super) fn before_silence(&self, at: Moment) -> Duration {
        if !self.line.is_pinged() {
            return self.sure;
        }
        let silence = self.timeouts.keepalive_interval + self.timeouts.keepalive_timeout;
        let pinged = at.monotonic.saturating_sub(lasting(&self.clock, silence));
        self.sure.max(pinged)
    }
}

/// How much passes on `clock` during `real` time.
pub(super) fn lasting(clock: &Clock, real: Duration) -> Duration {
    real.div_f64(clock.to_real(Duration::from_secs(1)).as_secs_f64())
}
