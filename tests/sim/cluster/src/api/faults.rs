//! Faults that a test orders: refusals and delays for requests that match.

use std::time::Duration;

use super::refusal::Refusal;

/// Which requests a fault strikes, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Strikes requests whose path and query contain this; empty: all.
    pub containing: String,
    /// What happens to them.
    pub effect: Effect,
    /// How many requests it strikes before it is spent; none: all until healed.
    pub times: Option<u32>,
}

/// What a fault does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answers with this HTTP status (401, 403, 404, 500, 503, ...) and its Status object; with 429 in plain text.
    Refuse(u16),
    /// Answers late, by the cluster's clock.
    Delay(Duration),
}

impl Fault {
    /// A refusal of every request that contains `containing`, until healed.
    pub fn refuse(containing: &str, code: u16) -> Self {
        Self {
            containing: containing.to_owned(),
            effect: Effect::Refuse(code),
            times: None,
        }
    }

    /// A delay of every request that contains `containing`, until healed.
    pub fn delay(containing: &str, by: Duration) -> Self {
        Self {
            containing: containing.to_owned(),
            effect: Effect::Delay(by),
            times: None,
        }
    }

    /// The same fault, spent after `times` requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The faults in force, in the order they were ordered.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

/// What the faults in force mean for one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) delay: Duration,
    pub(super) refusal: Option<Refusal>,
}

impl Faults {
    pub(super) fn order(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn heal(&mut self) {
        self.0.clear();
    }

    /// Judges a request: delays add up, the first refusal counts.
    pub(super) fn judge(&mut self, path_and_query: &str) -> Verdict {
        let mut verdict = Verdict::default();
        self.0.retain_mut(|fault| {
            if !path_and_query.contains(&fault.containing) {
                return true;
            }
            match fault.effect {
                Effect::Delay(by) => verdict.delay += by,
                Effect::Refuse(code) if verdict.refusal.is_none() => {
                    verdict.refusal = Some(Refusal::Ordered(code));
                }
                // Another refusal was first: this one is not spent on it.
                Effect::Refuse(_) => return true,
            }
            match &mut fault.times {
                Some(left) => {
                    *left = left.saturating_sub(1);
                    *left > 0
                }
                None => true,
            }
        });
        verdict
    }
}
