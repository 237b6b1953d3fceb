//! What a change of the Node or its Lease means. Pure: objects and times go in, observations come out; no clock, no IO.

mod lease;
mod node;
mod object;
mod outlook;
mod record;

use std::time::Duration;

use nodegrace_proto::v1::{Channel, Heartbeat, NodeFacts, ReadyChange};

pub(crate) use self::{
    lease::LeaseObserver,
    node::NodeObserver,
    object::{List, Object},
    outlook::{Outlook, Trouble},
    record::Record,
};
use crate::{moment::Moment, wire};

/// Understands the objects of one channel.
pub(crate) trait Observer {
    /// The kind of object that carries the channel.
    type Object: Object;

    /// The channel.
    fn channel(&self) -> Channel;

    /// What an object says that was not known before.
    fn observe(&mut self, object: &Self::Object, glance: Glance) -> Vec<Observation>;

    /// What it means that there is no such object (any more).
    fn gone(&mut self) -> Vec<Observation>;
}

/// How an object came to be seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    /// When it reached the agent.
    pub(crate) at: Moment,
    /// True when the first list found it: it was there before the agent looked.
    pub(crate) baseline: bool,
    /// The blind spell in which it may have changed, if it may have. `None`: it was seen as it happened.
    pub(crate) blind: Option<Span>,
    /// True when the wall clock was stepped since the last look before the spell: no stamp in between can be placed by it.
    pub(crate) stepped: bool,
}

/// A span of monotonic time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its start, since boot.
    pub(crate) start: Duration,
    /// Its end, since boot.
    pub(crate) end: Duration,
}

/// One thing learned from an object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Observation {
    /// A heartbeat, not numbered yet.
    Heartbeat(Heartbeat),
    /// A change of the Ready condition, not numbered yet.
    ReadyChange(ReadyChange),
    /// The Node's facts.
    Facts(NodeFacts),
    /// The Lease's duration, four times the kubelet's renew interval.
    LeaseDuration(Duration),
}

impl Glance {
    /// A heartbeat with this stamp, as it was seen here.
    fn heartbeat(
        &self,
        channel: Channel,
        stamp: jiff::Timestamp,
        resource_version: &str,
    ) -> Heartbeat {
        Heartbeat {
            sequence_number: 0,
            channel: channel.into(),
            stamp_time: Some(wire::timestamp(stamp)),
            arrival_monotonic: Some(wire::duration(self.at.monotonic)),
            arrival_time: Some(wire::timestamp(self.at.wall)),
            resource_version: resource_version.to_owned(),
            arrival_uncertainty: self.uncertainty(stamp).map(wire::duration),
            baseline: self.baseline,
            uncredited_renewals: 0,
        }
    }

    /// How much earlier than now a heartbeat with this stamp may have arrived. It cannot have arrived before its stamp, nor
    /// while the channel was still seen. `None`: it was seen as it happened.
    fn uncertainty(&self, stamp: jiff::Timestamp) -> Option<Duration> {
        let blind = self.blind?;
        // A stamp that maps to no moment tells nothing: then the spell is the only bound.
        let stamped = self.at.monotonic_of(stamp).filter(|_| !self.stepped);
        let stamped = stamped.unwrap_or(Duration::ZERO);
        if stamped >= blind.end {
            return None;
        }
        Some(self.at.monotonic.saturating_sub(stamped.max(blind.start)))
    }
}

#[cfg(test)]
mod tests {
    //! The kit of the observers' tests, and the recorded story of a kubelet that was stopped for 55 s.

    use jiff::{SignedDuration, Timestamp};
    use kube::core::WatchEvent;
    use serde::Deserialize;
    use serde_json::{from_value, json};

    use super::{
        object::{Lease, Node},
        *,
    };

    /// Wall time at boot in these tests: monotonic and wall clock count the same seconds from here.
    fn wall(seconds: f64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs_f64(1_000_000.0 + seconds)
    }

    fn moment(seconds: f64) -> Moment {
        Moment {
            monotonic: Duration::from_secs_f64(seconds),
            wall: wall(seconds),
        }
    }

    pub(super) fn seen_at(seconds: f64) -> Glance {
        Glance {
            at: moment(seconds),
            baseline: false,
            blind: None,
            stepped: false,
        }
    }

    pub(super) fn first_list(seconds: f64) -> Glance {
        Glance {
            baseline: true,
            ..seen_at(seconds)
        }
    }

    /// Seen right at the end of a blind spell.
    pub(super) fn blind_between(start: f64, end: f64) -> Glance {
        Glance {
            blind: Some(Span {
                start: Duration::from_secs_f64(start),
                end: Duration::from_secs_f64(end),
            }),
            ..seen_at(end)
        }
    }

    pub(super) fn lease(renewed: f64, resource_version: &str) -> Lease {
        from_value(json!({
            "metadata": {"name": "a", "uid": "u", "resourceVersion": resource_version},
            "spec": {"leaseDurationSeconds": 40, "renewTime": wall(renewed).to_string()},
        }))
        .unwrap()
    }

    pub(super) fn node(uid: &str, stamped: f64, ready: &str) -> Node {
        from_value(json!({
            "metadata": {"name": "a", "uid": uid, "resourceVersion": "1"},
            "status": {"conditions": [
                {"type": "Ready", "status": ready, "lastHeartbeatTime": wall(stamped).to_string()},
            ]},
        }))
        .unwrap()
    }

    pub(super) fn heartbeats(learned: Vec<Observation>) -> Vec<Heartbeat> {
        learned
            .into_iter()
            .filter_map(|one| match one {
                Observation::Heartbeat(heartbeat) => Some(heartbeat),
                _ => None,
            })
            .collect()
    }

    /// One line of the recording.
    #[derive(Deserialize)]
    struct Line<T> {
        at: f64,
        list: Option<List<T>>,
        event: Option<WatchEvent<T>>,
    }

    /// Lets an observer see one channel of a recording. Returns what it learned, with the seconds since the first line.
    fn watch_recording<O: Observer>(observer: &mut O, path: &str) -> Vec<(f64, Observation)> {
        let text = include_str!("../../tests/recorded/kubelet-stopped.jsonl");
        let mut start = None;
        let mut learned = Vec::new();
        for line in text.lines().filter(|line| line.contains(path)) {
            let line: Line<O::Object> = serde_json::from_str(line).unwrap();
            let at = line.at - *start.get_or_insert(line.at);
            let object = match (line.list, line.event) {
                (Some(list), _) => list.named("real-node"),
                (_, Some(WatchEvent::Added(object) | WatchEvent::Modified(object))) => Some(object),
                _ => None,
            };
            let glance = if at == 0.0 {
                first_list(at)
            } else {
                seen_at(at)
            };
            learned.extend(
                object
                    .iter()
                    .flat_map(|object| observer.observe(object, glance))
                    .map(|one| (at, one)),
            );
        }
        learned
    }

    fn arrivals(learned: &[(f64, Observation)]) -> Vec<f64> {
        learned
            .iter()
            .filter(
                |(_, one)| matches!(one, Observation::Heartbeat(heartbeat) if !heartbeat.baseline),
            )
            .map(|(at, _)| (at * 10.0).round() / 10.0)
            .collect()
    }

    #[test]
    fn a_recorded_lease_beats_every_ten_seconds_but_while_its_kubelet_is_stopped() {
        let learned = watch_recording(&mut LeaseObserver::default(), "leases");
        assert_eq!(
            arrivals(&learned),
            [
                6.8, 17.1, 27.5, 84.7, 94.7, 104.9, 115.2, 125.3, 135.7, 146.0
            ]
        );
    }

    #[test]
    fn a_recorded_node_turns_unknown_and_ready_again_without_false_heartbeats() {
        let learned = watch_recording(&mut NodeObserver::default(), "/nodes");
        assert_eq!(
            arrivals(&learned),
            [
                7.4, 17.6, 27.7, 84.7, 94.9, 105.0, 115.2, 125.5, 135.7, 145.9
            ]
        );
        let ready: Vec<_> = learned
            .iter()
            .filter_map(|(at, one)| match one {
                Observation::ReadyChange(change) => {
                    Some((at.round() as i64, change.reason.as_str()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(
            ready,
            [
                (0, "KubeletReady"),
                (70, "NodeStatusUnknown"),
                (95, "KubeletReady")
            ]
        );
    }
}
