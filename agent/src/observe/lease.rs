//! The LEASE channel: a heartbeat is a renewTime that moved forward, or the first one after a status post.

use std::time::Duration;

use jiff::Timestamp;
use nodegrace_proto::v1::Channel;

use super::{Glance, Observation, Observer, Record, object::Lease};

/// Understands the node's Lease as the node lifecycle controller does.
#[derive(Debug, Default)]
pub(crate) struct LeaseObserver {
    /// The renewTime credited last. Kept when the Lease is deleted: the controller keeps it too, so that a Lease created again
    /// with an older stamp is not credited.
    credited: Option<Timestamp>,
    /// The renewTime seen last, credited or not.
    seen: Option<Timestamp>,
    /// The controller's record of the node, and how often it was written anew when a Lease was seen last.
    record: Record,
    written: u64,
    /// Renewals since then that the controller does not credit, because their stamp did not move forward.
    uncredited: u32,
    /// The Lease's duration, as last told.
    duration: Option<Duration>,
}

impl LeaseObserver {
    /// An observer of the node's Lease beside the one of its Node that has the same record.
    pub(crate) fn beside(record: &Record) -> Self {
        Self {
            record: record.clone(),
            written: record.written(),
            ..Self::default()
        }
    }

    /// Whether the controller credits a Lease with this stamp: it is newer than the one that it knows, or it has forgotten that
    /// one. Then it even takes the same one for new, which is no renewal.
    fn is_credited(&mut self, renewed: Timestamp) -> bool {
        let before = std::mem::replace(&mut self.written, self.record.written());
        let is_renewed = self.seen.replace(renewed) != Some(renewed);
        let is_forgotten = before != self.written && is_renewed;
        is_forgotten || self.credited.is_none_or(|credited| credited < renewed)
    }
}

impl Observer for LeaseObserver {
    type Object = Lease;

    fn channel(&self) -> Channel {
        Channel::Lease
    }

    fn observe(&mut self, lease: &Lease, glance: Glance) -> Vec<Observation> {
        let mut learned = Vec::new();
        let duration = lease
            .spec
            .lease_duration_seconds
            .map(|seconds| Duration::from_secs(seconds.into()));
        if duration.is_some() && duration != self.duration {
            self.duration = duration;
            learned.extend(duration.map(Observation::LeaseDuration));
        }
        // A Lease that was created and never renewed carries no stamp and is credited by nobody.
        let Some(renewed) = lease.spec.renew_time else {
            return learned;
        };
        if self.is_credited(renewed) || glance.baseline {
            self.credited = Some(renewed);
            let mut heartbeat =
                glance.heartbeat(Channel::Lease, renewed, &lease.metadata.resource_version);
            heartbeat.uncredited_renewals = std::mem::take(&mut self.uncredited);
            learned.push(Observation::Heartbeat(heartbeat));
        } else {
            self.uncredited = self.uncredited.saturating_add(1);
        }
        learned
    }

    fn gone(&mut self) -> Vec<Observation> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{
        NodeObserver,
        tests::{blind_between, first_list, heartbeats, lease, node, seen_at},
    };

    #[test]
    fn a_renewal_that_moves_forward_is_a_heartbeat() {
        let mut observer = LeaseObserver::default();
        let baseline = heartbeats(observer.observe(&lease(0.5, "1"), first_list(1.0)));
        assert!(baseline[0].baseline);
        let next = heartbeats(observer.observe(&lease(10.5, "2"), seen_at(10.6)));
        assert_eq!(next.len(), 1);
        assert!(!next[0].baseline);
        assert_eq!(next[0].resource_version, "2");
        assert_eq!(next[0].arrival_uncertainty, None);
    }

    #[test]
    fn renewals_of_a_clock_that_stepped_back_are_counted_but_not_credited() {
        let mut observer = LeaseObserver::default();
        observer.observe(&lease(100.0, "1"), first_list(100.0));
        assert!(heartbeats(observer.observe(&lease(70.0, "2"), seen_at(110.0))).is_empty());
        assert!(heartbeats(observer.observe(&lease(80.0, "3"), seen_at(120.0))).is_empty());
        assert!(heartbeats(observer.observe(&lease(100.0, "4"), seen_at(140.0))).is_empty());
        let credited = heartbeats(observer.observe(&lease(110.0, "5"), seen_at(150.0)));
        assert_eq!(credited[0].uncredited_renewals, 3);
        let next = heartbeats(observer.observe(&lease(120.0, "6"), seen_at(160.0)));
        assert_eq!(next[0].uncredited_renewals, 0);
    }

    #[test]
    fn a_status_post_lets_the_renewals_of_a_clock_that_stepped_back_count_again() {
        let record = Record::default();
        let (mut observer, mut node) = (
            LeaseObserver::beside(&record),
            NodeObserver::beside(&record),
        );
        node.observe(&self::node("u", 90.0, "True"), first_list(100.0));
        observer.observe(&lease(100.0, "1"), first_list(100.0));
        assert!(heartbeats(observer.observe(&lease(70.0, "2"), seen_at(110.0))).is_empty());
        node.observe(&self::node("u", 75.0, "True"), seen_at(115.0));
        let credited = heartbeats(observer.observe(&lease(80.0, "3"), seen_at(120.0)));
        assert_eq!(credited[0].uncredited_renewals, 1);
        let next = heartbeats(observer.observe(&lease(90.0, "4"), seen_at(130.0)));
        assert_eq!(
            next.len(),
            1,
            "from there on stamps are compared with each other again"
        );
    }

    #[test]
    fn a_status_post_makes_no_renewal_of_a_lease_that_was_written_without_one() {
        let record = Record::default();
        let mut observer = LeaseObserver::beside(&record);
        observer.observe(&lease(100.0, "1"), first_list(100.0));
        record.write_anew();
        assert!(heartbeats(observer.observe(&lease(100.0, "2"), seen_at(104.0))).is_empty());
        assert_eq!(
            heartbeats(observer.observe(&lease(110.0, "3"), seen_at(110.0))).len(),
            1
        );
    }

    #[test]
    fn a_lease_created_again_is_credited_when_its_stamp_is_newer() {
        let mut observer = LeaseObserver::default();
        observer.observe(&lease(10.0, "1"), first_list(10.0));
        observer.gone();
        assert!(heartbeats(observer.observe(&lease(9.0, "3"), seen_at(20.0))).is_empty());
        assert_eq!(
            heartbeats(observer.observe(&lease(20.0, "4"), seen_at(20.1))).len(),
            1
        );
    }

    #[test]
    fn a_renewal_found_after_a_spell_may_have_arrived_any_time_since_its_stamp() {
        let mut observer = LeaseObserver::default();
        observer.observe(&lease(0.0, "1"), first_list(0.0));
        let found = heartbeats(observer.observe(&lease(10.0, "2"), blind_between(5.0, 14.0)));
        assert_eq!(found[0].arrival_uncertainty.unwrap().seconds, 4);
    }

    #[test]
    fn a_renewal_stamped_before_the_spell_cannot_have_arrived_before_it() {
        let mut observer = LeaseObserver::default();
        observer.observe(&lease(0.0, "1"), first_list(0.0));
        let found = heartbeats(observer.observe(&lease(3.0, "2"), blind_between(5.0, 14.0)));
        assert_eq!(found[0].arrival_uncertainty.unwrap().seconds, 9);
    }

    #[test]
    fn a_stamp_in_the_future_leaves_the_whole_spell_uncertain() {
        let mut observer = LeaseObserver::default();
        observer.observe(&lease(0.0, "1"), first_list(0.0));
        let found = heartbeats(observer.observe(&lease(500.0, "2"), blind_between(5.0, 14.0)));
        assert_eq!(found[0].arrival_uncertainty.unwrap().seconds, 9);
    }

    #[test]
    fn the_duration_is_told_when_it_changes() {
        let mut observer = LeaseObserver::default();
        let told = |learned: Vec<Observation>| {
            learned
                .into_iter()
                .any(|one| one == Observation::LeaseDuration(Duration::from_secs(40)))
        };
        assert!(told(observer.observe(&lease(0.0, "1"), first_list(0.0))));
        assert!(!told(observer.observe(&lease(10.0, "2"), seen_at(10.0))));
    }
}
