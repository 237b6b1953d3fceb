//! How late a watch may tell what happened: the two watches are two streams, and either may be behind the other.

use std::time::Duration;

use super::Moment;
use crate::time::WallTime;

/// How far apart two watches that are both well tell of one moment at most. The server sends both within milliseconds, and a busy
/// one within seconds.
const USUAL: Duration = Duration::from_secs(5);
/// A watch that was away for less tells of nothing much later than it happened.
const SHORT: Duration = Duration::from_secs(1);
/// How long a watch that was broken takes to tell what it missed.
const CATCHES_UP_IN: Duration = Duration::from_secs(10);
/// Nothing is taken for later than this, however long a watch was broken.
const LONGEST: Duration = Duration::from_secs(300);

/// Whether a watch is, or was until a moment ago, behind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lag {
    /// When it told something last before it broke. Absent: it never did.
    broke: Option<Duration>,
    /// When it went on. Absent: it is broken.
    back: Option<Duration>,
}

impl Lag {
    /// It is found broken at `at`, and told nothing since `since`. What it has not told yet since it broke before it still has to tell.
    pub(super) fn breaks(&mut self, since: Duration, at: Duration) {
        let before = self.broke.filter(|_| self.is_behind(at));
        self.broke = Some(before.unwrap_or(since.min(at)));
        self.back = None;
    }

    /// It goes on.
    pub(super) fn goes_on(&mut self, at: Duration) {
        if self.broke.is_some() {
            self.back.get_or_insert(at);
        }
    }

    /// Whether at `at` it is broken, or may still have to tell what it missed.
    pub(super) fn is_behind(&self, at: Duration) -> bool {
        self.broke.is_some() && self.back.is_none_or(|back| at <= back + CATCHES_UP_IN)
    }

    /// When a watch was away that tells of something at `moment`: what it tells may have happened then. Absent: it was not.
    pub(super) fn absence(&self, moment: Moment) -> Option<Absence> {
        let broke = self.broke.filter(|_| self.is_behind(moment.at))?;
        let back = self.back.unwrap_or(moment.at);
        let time = |at: Duration| before(moment.time, moment.at.saturating_sub(at));
        (back.saturating_sub(broke) > SHORT).then(|| Absence {
            from: time(broke),
            to: time(back),
        })
    }

    /// When what it tells at `at` can have happened at the earliest.
    pub(super) fn earliest(&self, at: Duration) -> Duration {
        let broke = self.broke.filter(|_| self.is_behind(at)).unwrap_or(at);
        broke
            .min(at)
            .saturating_sub(USUAL)
            .max(at.saturating_sub(LONGEST))
    }
}

/// A time in which a watch told nothing, by the aggregator's wall clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    pub(super) from: WallTime,
    pub(super) to: WallTime,
}

impl Absence {
    /// When a condition turned that is told of at `told`: by the condition itself where that was in the absence, within whole seconds.
    pub(super) fn turned(self, transition: WallTime, told: WallTime) -> WallTime {
        if transition > self.to {
            told
        } else {
            transition.max(self.from)
        }
    }
}

fn before(time: WallTime, ago: Duration) -> WallTime {
    let ago = i64::try_from(ago.as_nanos()).unwrap_or(i64::MAX);
    WallTime::from_unix_nanos(time.unix_nanos().saturating_sub(ago))
}
