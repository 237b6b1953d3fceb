//! How often a kubelet beats when nothing hinders it, by its settings.

use std::time::Duration;

use crate::event::{Channel, Rhythm};

/// Mean of the jitter that the kubelet adds to every wait: 0 to 4 % of it.
const MEAN_JITTER: f64 = 1.02;
/// `nodeLeaseDurationSeconds` unless it is set.
const LEASE_DURATION: Duration = Duration::from_secs(40);
/// The Lease is renewed this often within its duration.
const RENEWALS: u32 = 4;
/// `nodeStatusUpdateFrequency` unless it is set.
const STATUS_UPDATE: Duration = Duration::from_secs(10);
/// `nodeStatusReportFrequency` unless it is set, on kubelets that have a Lease; before there were Leases every status that was
/// computed was posted.
const STATUS_REPORT: Duration = Duration::from_secs(300);

impl Rhythm {
    /// What the settings ask of a channel. Absent: they are not known.
    pub(crate) fn asked(&self, channel: Channel) -> Option<Duration> {
        let known = match channel {
            Channel::Lease => self.lease_duration,
            Channel::NodeStatus => self.status_report,
        };
        known.map(|_| self.nominal(channel, true))
    }

    /// What the settings ask of a channel, mean jitter included; where they are not known, those of a kubelet nobody changed.
    pub(crate) fn nominal(&self, channel: Channel, has_lease: bool) -> Duration {
        let set = |length: Option<Duration>| length.filter(|length| !length.is_zero());
        let nominal = match channel {
            Channel::Lease => set(self.lease_duration).unwrap_or(LEASE_DURATION) / RENEWALS,
            Channel::NodeStatus => {
                let update = set(self.status_update);
                // Where only the update frequency is set, every status that is computed is posted.
                let unset = if has_lease && update.is_none() {
                    STATUS_REPORT
                } else {
                    update.unwrap_or(STATUS_UPDATE)
                };
                let report = set(self.status_report).unwrap_or(unset);
                report.max(update.unwrap_or(STATUS_UPDATE))
            }
        };
        nominal.mul_f64(MEAN_JITTER)
    }
}
