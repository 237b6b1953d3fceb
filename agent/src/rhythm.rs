//! When the next heartbeat is due, by the node's own habit. Pure: moments go in, as the watches see heartbeats come.

use std::{collections::VecDeque, time::Duration};

use nodegrace_proto::v1::{Channel, Visibility};

/// Gaps that the habit is told from: five minutes of them. A node whose habit changes is known anew soon.
const WINDOW: usize = 30;
/// Fewest gaps that tell a habit.
const ENOUGH: usize = 10;
/// Taken for the habit until one is known: a Lease of 40 s is renewed every 10 s, with up to 4 % jitter.
const NOMINAL: Duration = Duration::from_millis(10_400);
/// Share of the gaps that are no longer than usual. A little more than half: where both channels beat every 10 s, each gap is
/// followed by the rest of the 10 s, and the longer half is what is usual. Heartbeats may be late two times out of five
/// before that is taken for the habit.
const USUAL_SHARE: f64 = 0.6;

/// The rhythm of a node's heartbeats, both channels taken together.
#[derive(Debug)]
pub(crate) struct Rhythm {
    lease: Visibility,
    node_status: Visibility,
    /// When the last heartbeat arrived, since boot. `None`: none was seen.
    last: Option<Duration>,
    /// True when the gap that runs now will be known: it began with a heartbeat that was seen as it happened, and none can
    /// have been hidden since.
    whole: bool,
    /// The newest gaps, the oldest first.
    gaps: VecDeque<Duration>,
}

/// The heartbeat that comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Awaited {
    /// When the one before arrived, since boot.
    pub(crate) since: Duration,
    /// How long after that it usually comes.
    pub(crate) usual: Duration,
}

impl Default for Rhythm {
    fn default() -> Self {
        Self {
            lease: Visibility::Unspecified,
            node_status: Visibility::Unspecified,
            last: None,
            whole: false,
            gaps: VecDeque::with_capacity(WINDOW),
        }
    }
}

impl Rhythm {
    /// What the agent sees of a channel now. True when that changes what is awaited.
    pub(crate) fn see(&mut self, channel: Channel, visibility: Visibility) -> bool {
        let before = self.awaited();
        match channel {
            Channel::Lease => self.lease = visibility,
            Channel::NodeStatus => self.node_status = visibility,
            Channel::Unspecified => {}
        }
        // A channel that cannot be seen may beat.
        self.whole &= self.sees();
        self.awaited() != before
    }

    /// The agent itself stood still. What came meanwhile waits for it, and so does whoever awaits it: what the machine does to
    /// the agent it may do to the kubelet. Only the gap that runs is not known exactly.
    pub(crate) fn stand_still(&mut self) {
        self.whole = false;
    }

    /// A heartbeat arrived at `at`; `exactly` when it was seen as it happened. Returns the gap that it ended. `None`: it is not
    /// known exactly.
    pub(crate) fn beat(&mut self, at: Duration, exactly: bool) -> Option<Duration> {
        let last = self.last.filter(|_| self.whole && exactly);
        let gap = last.map(|last| at.saturating_sub(last));
        if let Some(gap) = gap {
            if self.gaps.len() == WINDOW {
                self.gaps.pop_front();
            }
            self.gaps.push_back(gap);
        }
        self.last = self.last.max(Some(at));
        self.whole = exactly && self.sees();
        gap
    }

    /// The heartbeat that comes next. `None` while its absence would say nothing: none was seen yet, none can come, or one may
    /// have come unseen.
    pub(crate) fn awaited(&self) -> Option<Awaited> {
        let usual = self.usual();
        self.last
            .filter(|_| self.sees())
            .map(|since| Awaited { since, usual })
    }

    /// Whether every heartbeat would be seen, and any can come.
    fn sees(&self) -> bool {
        let channels = [self.lease, self.node_status];
        channels.contains(&Visibility::Observed)
            && channels
                .iter()
                .all(|seen| matches!(seen, Visibility::Observed | Visibility::Absent))
    }

    fn usual(&self) -> Duration {
        if self.gaps.len() < ENOUGH {
            return NOMINAL;
        }
        let mut gaps: Vec<_> = self.gaps.iter().copied().collect();
        let rank = (USUAL_SHARE * gaps.len() as f64) as usize;
        *gaps.select_nth_unstable(rank).1
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A node whose channels are seen, after heartbeats with these gaps, in seconds.
    fn beaten(gaps: impl IntoIterator<Item = f64>) -> Rhythm {
        let mut rhythm = Rhythm::default();
        rhythm.see(Channel::Lease, Visibility::Observed);
        rhythm.see(Channel::NodeStatus, Visibility::Observed);
        let mut at = seconds(1000);
        rhythm.beat(at, true);
        for gap in gaps {
            at += Duration::from_secs_f64(gap);
            rhythm.beat(at, true);
        }
        rhythm
    }

    /// In milliseconds.
    fn usual(rhythm: &Rhythm) -> u128 {
        rhythm.awaited().unwrap().usual.as_millis()
    }

    #[test]
    fn until_a_habit_is_known_the_kubelets_default_is_taken_for_it() {
        assert_eq!(usual(&beaten([30.0; 9])), 10_400);
        assert_eq!(usual(&beaten([30.0; 10])), 30_000);
    }

    #[test]
    fn a_habit_that_changed_is_known_within_its_window() {
        let gaps = [10.0; 100].into_iter().chain([40.0; 19]);
        assert_eq!(usual(&beaten(gaps)), 40_000);
    }

    #[test]
    fn where_both_channels_beat_the_longer_part_of_the_period_is_usual() {
        let gaps = [3.0, 7.0].into_iter().cycle().take(31);
        assert_eq!(usual(&beaten(gaps)), 7_000);
    }

    #[test]
    fn nothing_is_awaited_that_was_never_seen_or_cannot_come() {
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.awaited(), None);
        rhythm.beat(seconds(5), true);
        rhythm.see(Channel::NodeStatus, Visibility::Observed);
        assert_eq!(rhythm.awaited(), None, "the Lease was not looked at yet");
        rhythm.see(Channel::Lease, Visibility::Absent);
        assert!(rhythm.awaited().is_some());
        rhythm.see(Channel::NodeStatus, Visibility::Absent);
        assert_eq!(rhythm.awaited(), None);
    }

    #[test]
    fn a_channel_that_cannot_be_seen_leaves_nothing_to_wait_for_until_it_is_seen_again() {
        let mut rhythm = beaten([10.0]);
        let before = rhythm.awaited();
        assert!(rhythm.see(Channel::Lease, Visibility::Blind));
        assert_eq!(rhythm.awaited(), None);
        assert!(!rhythm.see(Channel::NodeStatus, Visibility::Blind));
        rhythm.see(Channel::NodeStatus, Visibility::Observed);
        assert!(rhythm.see(Channel::Lease, Visibility::Observed));
        assert_eq!(rhythm.awaited(), before);
    }

    #[test]
    fn gaps_around_a_blind_spell_tell_no_habit() {
        let mut rhythm = beaten([10.0; 10]);
        rhythm.see(Channel::Lease, Visibility::Blind);
        rhythm.see(Channel::Lease, Visibility::Observed);
        rhythm.beat(seconds(2000), false);
        rhythm.beat(seconds(2500), true);
        assert_eq!(rhythm.gaps.len(), 10);
        rhythm.beat(seconds(2510), true);
        assert_eq!(rhythm.gaps.len(), 11);
    }

    #[test]
    fn an_agent_that_stood_still_awaits_the_heartbeat_further_and_tells_no_habit_by_it() {
        let mut rhythm = beaten([10.0; 10]);
        let before = rhythm.awaited();
        rhythm.stand_still();
        assert_eq!(rhythm.awaited(), before);
        rhythm.beat(seconds(1130), false);
        rhythm.beat(seconds(1140), true);
        assert_eq!(rhythm.gaps.len(), 10);
        rhythm.beat(seconds(1150), true);
        assert_eq!(rhythm.gaps.len(), 11);
    }

    proptest! {
        #[test]
        fn what_is_usual_was_seen_and_three_of_five_gaps_are_no_longer(gaps in vec(0.0..100.0f64, 10..80)) {
            let rhythm = beaten(gaps.iter().copied());
            let usual = rhythm.awaited().unwrap().usual;
            prop_assert!(rhythm.gaps.contains(&usual));
            let longer = rhythm.gaps.iter().filter(|gap| **gap > usual).count();
            prop_assert!(longer as f64 <= 0.4 * rhythm.gaps.len() as f64);
            let shorter = rhythm.gaps.iter().filter(|gap| **gap < usual).count();
            prop_assert!(shorter as f64 <= 0.6 * rhythm.gaps.len() as f64);
        }

        #[test]
        fn late_heartbeats_are_not_taken_for_the_habit(late in vec(20.0..500.0f64, 0..12), phase in 0..30usize) {
            let mut gaps = vec![10.0; WINDOW];
            for (index, gap) in late.into_iter().enumerate() {
                gaps[(phase + 5 * index) % WINDOW] = gap;
            }
            prop_assert_eq!(usual(&beaten(gaps)), 10_000);
        }

        #[test]
        fn the_last_heartbeat_never_moves_back(arrivals in vec(0..1000u64, 1..20)) {
            let mut rhythm = beaten([]);
            let mut before = rhythm.awaited().unwrap().since;
            for at in arrivals {
                rhythm.beat(seconds(at + 500), true);
                let since = rhythm.awaited().unwrap().since;
                prop_assert!(since >= before);
                before = since;
            }
        }
    }
}
