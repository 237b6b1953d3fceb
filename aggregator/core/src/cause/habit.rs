//! Periods that are long as a rule, and why.
//!
//! Where every heartbeat comes late there is no quiet time to learn from: what the samples usually say is held against a
//! healthy node, in absolute seconds.

use std::time::Duration;

use super::{
    baseline::Baseline,
    case::{Case, Claim},
    delivery,
    explanation::Cause,
    figure::Figure,
    history::CauseHistory,
    kind::CauseKind,
    order,
    seen::{Part, Seen},
    stalls,
};
use crate::event::Channel;

/// A median period this much longer than the settings ask for is a habit.
const LONG: f64 = 1.25;

/// A period that is long as a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Habit {
    /// The channel.
    pub channel: Channel,
    /// Its median period.
    pub period: Duration,
    /// What the kubelet's settings ask for, mean jitter included.
    pub nominal: Duration,
    /// Why it is long, the most likely first.
    pub causes: Vec<Cause>,
}

impl CauseHistory {
    /// The habit of a channel with this median period. Absent: it is no longer than the settings ask for.
    pub(crate) fn habit(
        &self,
        channel: Channel,
        period: Duration,
        nominal: Duration,
    ) -> Option<Habit> {
        if period <= nominal.mul_f64(LONG) {
            return None;
        }
        let lateness = (period - nominal).as_secs_f32();
        let seen = self.baseline.as_seen(lateness);
        let healthy = Baseline::default();
        let case = Case {
            lateness,
            seen: &seen,
            usual: &healthy,
        };
        let runtime = (channel == Channel::NodeStatus).then(|| delivery::runtime_of_status(&case));
        let claims = [
            stalls::memory(&case),
            stalls::io(&case),
            stalls::cpu(&case, None),
            api_server(&case, channel),
            runtime.flatten(),
        ];
        let claims = claims.into_iter().flatten().collect();
        Some(Habit {
            channel,
            period,
            nominal,
            causes: order::ranked(claims, lateness, None),
        })
    }
}

/// Each renewal waits for its answer, and the next one comes that much later.
fn api_server(case: &Case<'_>, channel: Channel) -> Option<Claim> {
    let slower = case.excess(Figure::ApiPut)?.min(case.lateness);
    (channel == Channel::Lease && slower > 0.0).then(|| {
        let evidence = case.evidence(Figure::ApiPut).into_iter().collect();
        Claim::of(CauseKind::ApiServerSlow, slower, evidence)
    })
}

impl Baseline {
    /// What is usual, as if it had been seen for this many seconds.
    fn as_seen(&self, seconds: f32) -> Seen {
        let mut seen = Seen::new(Duration::ZERO);
        for (figure, part) in Figure::all().zip(&mut seen.settled) {
            if let Some(usual) = self.usual(figure) {
                *part = Part::constant(figure, usual.median, seconds);
            }
        }
        seen
    }
}
