//! A month of heartbeats in virtual time: two parties that share no code, the simulated controller and the core, judge the same
//! gaps, and what the one does is held against what the other predicts.
//!
//! Nothing sleeps: time is a number that goes from one heartbeat or poll to the next, so that a month takes a second.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    AgentId, Channel, ConditionStatus, Config, ControllerSettings, CountRange, Event, Fleet,
    Report, SettingsError, WallTime,
    calibration::{Day, by_day},
    event::{ChannelView, Heartbeat, ReadyChange, Record, Visibility},
};
use nodegrace_sim_cluster::controller::{NodeLifecycle, NodeView, ReadyView, Rule};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

/// The node.
const NODE: &str = "node";
/// A renewal in so many is held up, by so many seconds on average, exponentially: a flip every other day or so.
const HELD_UP_IN: u32 = 1500;
const HELD_UP_SECONDS: f64 = 15.0;
/// Records of one batch, as an agent sends a few minutes' at once.
const BATCH: usize = 30;
/// How much later than the Lease a kubelet that was away posts its status.
const POST_AFTER: Duration = Duration::from_millis(20);

/// What was predicted, and what came.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Sum of the flip probabilities.
    pub predicted: f64,
    /// Flips to be expected with 95 % probability.
    pub likely: CountRange,
    /// What the controller did.
    pub actual: u64,
    /// Both by day, the latest first.
    pub days: Vec<Day>,
}

impl Outcome {
    /// Whether what came was among what was to be expected.
    pub fn is_as_predicted(&self) -> bool {
        self.likely.contains(self.actual)
    }
}

/// Lets a node live for so many days.
///
/// # Errors
/// Never: the settings are a controller's.
///
/// # Panics
/// When it lives for no day, in which there is no gap.
pub fn live(seed: u64, days: u64) -> Result<Outcome, SettingsError> {
    let rule = Rule {
        grace_period: Duration::from_secs(40),
        ..Rule::default()
    };
    let controller =
        ControllerSettings::default().with_periods(rule.grace_period, rule.monitor_period);
    let fleet = Fleet::new(Config {
        controller,
        ..Config::default()
    })?;
    let mut random = StdRng::seed_from_u64(seed);
    let end = Duration::from_secs(days * 86_400);
    let mut life = Life::new(fleet);
    let mut lifecycle = NodeLifecycle::default();
    let mut poll = Duration::from_secs_f64(5.0 * random.random::<f64>());
    let mut beat = Duration::from_secs(1);
    let mut actual = 0;
    while beat.min(poll) < end {
        if beat < poll {
            life.renew(beat);
            beat += until_next(&mut random);
        } else {
            let view = [life.view()];
            if !lifecycle.poll(poll, &rule, &view, |_| None).is_empty() {
                life.turn(ConditionStatus::Unknown, poll);
                actual += 1;
            }
            poll += rule.monitor_period + rule.pass;
        }
    }
    life.send();
    let figures = life.fleet.figures(end);
    let expected = figures.expected_flips.expect("gaps were measured");
    Ok(Outcome {
        predicted: expected.expected,
        likely: expected.likely(),
        actual,
        days: by_day(&life.fleet),
    })
}

/// Time until the next renewal: as a kubelet's, now and then held up.
fn until_next(random: &mut StdRng) -> Duration {
    let usual = 10.0 + 0.4 * random.random::<f64>();
    let held_up = if random.random_ratio(1, HELD_UP_IN) {
        // The tail beyond what is worth nothing: 20 s and more.
        20.0 - HELD_UP_SECONDS * (1.0 - random.random::<f64>()).ln()
    } else {
        0.0
    };
    Duration::from_secs_f64(usual + held_up)
}

/// The node as both parties see it.
struct Life {
    fleet: Fleet,
    renewed: Duration,
    posted: Duration,
    unknown: bool,
    number: u64,
    records: Vec<(u64, Record)>,
}

impl Life {
    /// A node whose agent has just found both channels.
    fn new(fleet: Fleet) -> Self {
        let mut life = Self {
            fleet,
            renewed: Duration::ZERO,
            posted: Duration::ZERO,
            unknown: false,
            number: 0,
            records: Vec::new(),
        };
        life.beat(Channel::Lease, Duration::ZERO, true);
        life.beat(Channel::NodeStatus, Duration::ZERO, true);
        life
    }

    fn view(&self) -> NodeView {
        NodeView {
            name: NODE.to_owned(),
            ready: Some(ReadyView {
                unknown: self.unknown,
                heartbeat: self.posted.as_secs().cast_signed(),
            }),
            renewed: Some(self.renewed.as_micros() as i64),
        }
    }

    /// The Lease is renewed; a kubelet that was given up posts its status, too.
    fn renew(&mut self, at: Duration) {
        self.renewed = at;
        self.beat(Channel::Lease, at, false);
        if self.unknown {
            let at = at + POST_AFTER;
            self.posted = at;
            self.beat(Channel::NodeStatus, at, false);
            self.turn(ConditionStatus::True, at);
        }
        if self.records.len() >= BATCH {
            self.send();
        }
    }

    fn turn(&mut self, status: ConditionStatus, at: Duration) {
        self.unknown = status == ConditionStatus::Unknown;
        self.push(Record::ReadyChange(ReadyChange {
            status,
            reason: "".into(),
            transition: wall(at),
            arrival: at,
            arrival_time: wall(at),
            baseline: false,
        }));
    }

    fn beat(&mut self, channel: Channel, at: Duration, baseline: bool) {
        self.push(Record::Heartbeat(Heartbeat {
            channel,
            stamp: wall(at),
            arrival: at,
            arrival_time: wall(at),
            resource_version: "".into(),
            arrival_uncertainty: Duration::ZERO,
            baseline,
            uncredited_renewals: 0,
        }));
    }

    fn push(&mut self, record: Record) {
        self.number += 1;
        self.records.push((self.number, record));
    }

    /// Sends what was seen.
    fn send(&mut self) {
        let sent = self.renewed.max(self.posted);
        let view = |channel| ChannelView {
            channel,
            visibility: Visibility::Observed,
        };
        let report = Report {
            node: Arc::from(NODE),
            agent: AgentId {
                boot_id: "boot".into(),
                start: Duration::ZERO,
            },
            sent,
            sent_time: wall(sent),
            records: std::mem::take(&mut self.records),
            sent_records: None,
            dropped_before: 0,
            views: Channel::ALL.map(view).to_vec(),
            node_uid: None,
            rhythm: None,
            losses: None,
            replay: false,
        };
        self.fleet.apply(Event::Report(report), sent);
    }
}

fn wall(at: Duration) -> WallTime {
    WallTime::from_unix_nanos(at.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of one life, short enough for a build that is not optimised; the example lives a month.
    const DAYS: u64 = 5;

    #[test]
    fn what_the_controller_does_lies_within_what_is_predicted_for_nine_of_ten_seeds() {
        let outcomes: Vec<Outcome> = (1..=10)
            .map(|seed| live(seed, DAYS).expect("a controller's settings"))
            .collect();
        let flips: u64 = outcomes.iter().map(|outcome| outcome.actual).sum();
        assert!(flips >= 10, "{flips} flips say nothing");
        let right = outcomes.iter().filter(|outcome| outcome.is_as_predicted());
        assert!(right.count() >= 9, "{outcomes:#?}");
        for outcome in outcomes {
            let seen: u64 = outcome.days.iter().map(|day| day.seen).sum();
            assert_eq!(seen, outcome.actual, "each flip is in the day of its gap");
        }
    }
}
