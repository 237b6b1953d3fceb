//! Which phases of the poll earn a status post one more poll.
//!
//! Crediting a status post makes the controller forget the Lease it knew, unless the Lease moved forward in the same look; a
//! look that finds the Lease forgotten takes it as new and credits the node, whatever else it finds, and forgets nothing. So of
//! looks that follow each other, each with a post behind it and none with a renewal, the first forgets, the second remembers,
//! the third forgets again: the post that starts a gap earns its poll when it belongs to an odd one of them.

use std::time::Duration;

use super::GapStart;

/// The heartbeats that decide, as ages in seconds at the start of the gap.
pub(super) struct Before {
    /// The posts, the newest first, beginning with the one that starts the gap. Empty: the Lease starts it.
    posts: Vec<f64>,
    /// The last renewal. Absent: none that matters.
    lease: Option<f64>,
}

/// A phase of the poll: the first look after the start of the gap comes `polls` intervals after a heartbeat of that age.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) age: f64,
    pub(super) polls: f64,
}

/// Phases from one to another that all earn a poll, or none of which does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) from: Phase,
    pub(super) to: Phase,
    pub(super) earned: bool,
}

impl Phase {
    fn at(self, interval: f64) -> f64 {
        self.polls * interval - self.age
    }
}

impl Before {
    /// What came before a gap and matters where looks are at most `longest` apart.
    pub(super) fn of(start: GapStart, longest: Duration) -> Self {
        let GapStart::StatusPost {
            since_lease,
            earlier_posts,
        } = start
        else {
            return Self {
                posts: Vec::new(),
                lease: None,
            };
        };
        let longest = longest.as_secs_f64();
        let mut posts = vec![0.0];
        let mut oldest = 0.0;
        for age in earlier_posts.ages().map(|age| age.as_secs_f64()) {
            // A look between the two found no post.
            if age >= oldest + 2.0 * longest {
                break;
            }
            posts.push(age);
            oldest = age;
        }
        let lease = since_lease.as_secs_f64();
        Self {
            posts,
            lease: (lease < oldest + longest).then_some(lease),
        }
    }

    /// Whether the post earns a poll when the first look comes `phase` after it.
    fn earns(&self, phase: f64, interval: f64) -> bool {
        // Counted back from the first look: which one credits a heartbeat of that age.
        let look = |age: f64| ((age + phase) / interval).floor();
        let lease = self.lease.map_or(f64::INFINITY, look);
        let mut looks = 0_u32;
        for post in self.posts.iter().map(|&age| look(age)) {
            if post >= lease || post > f64::from(looks) {
                break;
            }
            looks = post as u32 + 1;
        }
        looks % 2 == 1
    }

    /// All phases, for looks `interval` apart.
    pub(super) fn stretches(&self, interval: f64) -> Vec<Stretch> {
        let mut ends = vec![Phase {
            age: 0.0,
            polls: 0.0,
        }];
        ends.extend(self.ages().filter(|age| *age > 0.0).map(|age| Phase {
            age,
            polls: (age / interval).ceil(),
        }));
        ends.sort_unstable_by(|left, right| left.at(interval).total_cmp(&right.at(interval)));
        ends.push(Phase {
            age: 0.0,
            polls: 1.0,
        });
        let stretch = |pair: &[Phase]| Stretch {
            from: pair[0],
            to: pair[1],
            earned: self.earns(
                f64::midpoint(pair[0].at(interval), pair[1].at(interval)),
                interval,
            ),
        };
        ends.windows(2).map(stretch).collect()
    }

    /// The intervals between `from` and `to`, with both, between which the order of the stretches stays.
    pub(super) fn cuts(&self, from: f64, to: f64) -> Vec<f64> {
        let ages: Vec<f64> = self.ages().collect();
        let mut cuts = vec![from, to];
        for (index, older) in ages.iter().enumerate() {
            for apart in ages[..index].iter().map(|newer| (older - newer).abs()) {
                let (fewest, most) = ((apart / to).ceil().max(1.0), (apart / from).floor());
                cuts.extend((fewest as u32..=most as u32).map(|polls| apart / f64::from(polls)));
            }
        }
        cuts.sort_unstable_by(f64::total_cmp);
        cuts
    }

    fn ages(&self) -> impl Iterator<Item = f64> {
        self.posts.iter().copied().chain(self.lease)
    }
}
