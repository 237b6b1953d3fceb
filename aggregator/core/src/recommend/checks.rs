//! The inequalities between the controller's and the kubelets' settings that a grace period depends on.

use std::time::Duration;

use crate::controller::ControllerSettings;

/// A Lease is renewed every quarter of its duration, and up to 4 % later (the kubelet's jitter).
const RENEWALS_PER_LEASE: f64 = 4.0;
const JITTER: f64 = 1.04;
/// Renewals that should fit into a grace period; as many as the defaults of Kubernetes 1.32 leave.
const TRIES: u32 = 4;
/// A client notices a dead HTTP/2 connection after 30 s without a frame and 15 s without an answer to its ping (the defaults
/// of k8s.io/apimachinery); only then does the kubelet connect anew.
const DEAD_CONNECTION: Duration = Duration::from_secs(45);
/// Pods leave an unreachable node after this time unless their tolerations say otherwise (`DefaultTolerationSeconds`).
const EVICTION_DELAY: Duration = Duration::from_secs(300);
/// A renewal takes this long where nothing was measured.
const USUAL_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Shortest lease duration that is suggested: the kubelet renews four times in it and gives each try as long as it takes, so
/// that shorter ones only load an API server that is slow already.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);

/// What is known of the kubelets' settings and of the API server. Of several nodes, what is true of nearly all: one odd kubelet
/// must not decide for the fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveSettings {
    /// nodeLeaseDurationSeconds. Absent: not known.
    pub lease_duration: Option<Duration>,
    /// nodeStatusReportFrequency. Absent: not known.
    pub status_report_frequency: Option<Duration>,
    /// Time from a renewal's stamp to its arrival, 99th percentile. Absent: not measured.
    pub round_trip: Option<Duration>,
}

/// An inequality and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The inequality with its numbers.
    pub rule: String,
    /// Whether it holds.
    pub outcome: Outcome,
    /// What it protects from.
    pub reason: &'static str,
}

/// Whether an inequality holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// A setting is not known.
    Unknown,
}

impl From<Option<bool>> for Outcome {
    fn from(holds: Option<bool>) -> Self {
        match holds {
            Some(true) => Self::Holds,
            Some(false) => Self::Fails,
            None => Self::Unknown,
        }
    }
}

impl LiveSettings {
    /// Time from one renewal to the next, as late as the kubelet may be. Absent: the Lease's duration is not known.
    fn renewal(&self) -> Option<Duration> {
        let interval = self.lease_duration?.mul_f64(JITTER / RENEWALS_PER_LEASE);
        Some(interval + self.round_trip.unwrap_or(USUAL_ROUND_TRIP))
    }

    /// Grace periods to raise a shorter one to: first the shortest that passes every check on it, then the shortest that passes
    /// those which no setting of the kubelet can mend.
    pub(super) fn shortest_graces(&self) -> [Duration; 2] {
        // Longer than the dead connection, not as long.
        let connection = DEAD_CONNECTION + Duration::from_nanos(1);
        let renewals = self.renewal().map(|renewal| renewal * TRIES);
        [connection.max(renewals.unwrap_or_default()), connection]
    }

    /// The longest lease duration that leaves enough renewals in a grace period, in whole seconds. Absent: renewals take so
    /// long that none does.
    pub(super) fn lease_for(&self, grace_period: Duration) -> Option<Duration> {
        let renewal = grace_period / TRIES;
        let interval = renewal.saturating_sub(self.round_trip.unwrap_or(USUAL_ROUND_TRIP));
        let lease = Duration::from_secs(interval.mul_f64(RENEWALS_PER_LEASE / JITTER).as_secs());
        (lease >= SHORTEST_LEASE).then_some(lease)
    }

    /// True when the Lease is renewed often enough for that grace period, or how often is not known.
    pub(super) fn lease_fits(&self, grace_period: Duration) -> bool {
        self.renewal()
            .is_none_or(|renewal| renewal * TRIES <= grace_period)
    }

    /// True when the status is posted often enough not to matter for evictions, or how often is not known.
    pub(super) fn report_fits(&self) -> bool {
        self.status_report_frequency
            .is_none_or(|frequency| frequency <= EVICTION_DELAY)
    }
}

/// Checks a controller's settings against the live ones.
pub fn check(controller: &ControllerSettings, live: &LiveSettings) -> Vec<Check> {
    let (grace, period) = (controller.grace_period, controller.monitor_period);
    let renewal = live.renewal();
    let tries = renewal.map(|renewal| grace.as_secs_f64() / renewal.as_secs_f64());
    let report = live.status_report_frequency;
    let or_unknown = |duration: Option<Duration>| {
        duration.map_or_else(
            || "unknown".to_owned(),
            |duration| format!("{duration:.1?}"),
        )
    };
    vec![
        Check {
            rule: format!(
                "grace period {grace:?} >= {TRIES} renewals of the Lease, {} each at most",
                or_unknown(renewal)
            ),
            outcome: tries.map(|tries| tries >= f64::from(TRIES)).into(),
            reason: if live.lease_for(grace).is_some() {
                "a renewal may fail without the node being lost"
            } else {
                "renewals take so long that no lease duration leaves enough of them: see to the way to the API server"
            },
        },
        Check {
            rule: format!("grace period {grace:?} > {DEAD_CONNECTION:?}"),
            outcome: Some(grace > DEAD_CONNECTION).into(),
            reason: "a kubelet needs that long to notice that its connection to the API server is dead",
        },
        Check {
            rule: format!("monitor period {period:?} < grace period {grace:?}"),
            outcome: Some(period < grace).into(),
            reason: "the controller must look at a node several times before it gives it up",
        },
        Check {
            rule: format!(
                "status report frequency {} <= eviction delay {EVICTION_DELAY:?}",
                or_unknown(report)
            ),
            outcome: report.map(|_| live.report_fits()).into(),
            reason: "the status must be newer than the decision to evict pods",
        },
    ]
}
