//! How a gap starts, as far as the controller's grace depends on it.

use std::time::Duration;

/// Earlier posts that are remembered. An older one matters only when a post fell between every two looks since then and no
/// renewal did; kubelets renew as often as they post, so that even two are rare.
const POSTS: usize = 8;

/// What is known of the heartbeat that starts a gap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GapStart {
    /// A renewed Lease, or a status post of a node that has no Lease: credited once.
    #[default]
    Once,
    /// A status post of a node that has a Lease: it may be credited once more, one poll later.
    StatusPost {
        /// Time since the last Lease heartbeat. [`Duration::MAX`] when there was none for long.
        since_lease: Duration,
        /// The posts between the two.
        earlier_posts: EarlierPosts,
    },
}

impl GapStart {
    /// From the time since the last Lease heartbeat, absent where the gap starts with the Lease or there is none, and the posts
    /// in between.
    pub fn after(since_lease: Option<Duration>, earlier_posts: EarlierPosts) -> Self {
        since_lease.map_or(Self::Once, |since_lease| Self::StatusPost {
            since_lease,
            earlier_posts,
        })
    }

    /// True when a status post may have earned one more poll.
    pub const fn may_earn_a_poll(self) -> bool {
        matches!(self, Self::StatusPost { .. })
    }

    /// True when a status post has earned one more poll whatever the phase, if looks are at most `interval` apart: no renewal
    /// can share its look, and no other post the look before that.
    pub fn surely_earns_a_poll(self, interval: Duration) -> bool {
        match self {
            Self::Once => false,
            Self::StatusPost {
                since_lease,
                earlier_posts,
            } => {
                let newest = earlier_posts.ages().next();
                since_lease >= interval && newest.is_none_or(|age| age >= interval * 2)
            }
        }
    }
}

/// Ages of the status posts before the one that starts a gap, back to the last Lease heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EarlierPosts {
    /// In microseconds, the newest first. What is older than 71 minutes is none.
    ages: [u32; POSTS],
}

impl EarlierPosts {
    const NONE: u32 = u32::MAX;

    /// No post since the Lease.
    pub const fn none() -> Self {
        Self {
            ages: [Self::NONE; POSTS],
        }
    }

    /// These posts and the one they came before, seen from a post `later`.
    #[must_use]
    pub fn followed(self, later: Duration) -> Self {
        let later = u32::try_from(later.as_micros()).unwrap_or(Self::NONE);
        let mut ages = [later; POSTS];
        for (age, earlier) in ages[1..].iter_mut().zip(self.ages) {
            *age = earlier.saturating_add(later);
        }
        Self { ages }
    }

    /// Posts of these ages, the newest first; more than are remembered are left out.
    pub fn of(ages: impl IntoIterator<Item = Duration>) -> Self {
        let mut posts = Self::none();
        for (kept, age) in posts.ages.iter_mut().zip(ages) {
            *kept = u32::try_from(age.as_micros()).unwrap_or(Self::NONE);
        }
        posts
    }

    /// The ages, the newest first.
    pub fn ages(&self) -> impl Iterator<Item = Duration> {
        let known = self.ages.into_iter().take_while(|age| *age != Self::NONE);
        known.map(|micros| Duration::from_micros(micros.into()))
    }
}

impl Default for EarlierPosts {
    fn default() -> Self {
        Self::none()
    }
}
