//! The `NODE_STATUS` channel: a heartbeat is a lastHeartbeatTime of the Ready condition that changed. The Node's facts and the
//! changes of its Ready condition come with it.

use jiff::Timestamp;
use nodegrace_proto::v1::{Channel, ConditionStatus, NodeFacts, ReadyChange};

use super::{
    Glance, Observation, Observer, Record,
    object::{Condition, Node},
};
use crate::wire;

/// Understands the Node as the node lifecycle controller does.
#[derive(Debug, Default)]
pub(crate) struct NodeObserver {
    /// uid of the Node last seen. Kept when the Node is deleted, so that one created again is known as another.
    uid: Option<String>,
    /// lastHeartbeatTime of the Ready condition last seen.
    credited: Option<Timestamp>,
    /// Status, reason and lastTransitionTime of the Ready condition last seen.
    ready: Option<(ConditionStatus, String, Option<Timestamp>)>,
    /// Facts last told.
    facts: Option<NodeFacts>,
    /// The controller's record of the node.
    record: Record,
}

impl Observer for NodeObserver {
    type Object = Node;

    fn channel(&self) -> Channel {
        Channel::NodeStatus
    }

    fn observe(&mut self, node: &Node, mut glance: Glance) -> Vec<Observation> {
        let mut learned = Vec::new();
        if self.uid.as_ref() != Some(&node.metadata.uid) {
            // Another Node of the same name: nothing of the old one's chain goes on, its first stamp starts a new one.
            glance.baseline |= self.uid.is_some();
            self.uid = Some(node.metadata.uid.clone());
            self.credited = None;
            self.ready = None;
        }
        let facts = facts(node);
        if self.facts.as_ref() != Some(&facts) {
            self.facts = Some(facts.clone());
            learned.push(Observation::Facts(facts));
        }
        // A Node that was just registered may have no Ready condition yet.
        if let Some(ready) = &node.status.ready {
            learned.extend(
                self.ready_change(ready, glance)
                    .map(Observation::ReadyChange),
            );
            if let Some(stamp) = ready.last_heartbeat_time
                && (glance.baseline || self.credited != Some(stamp))
            {
                self.credited = Some(stamp);
                self.record.write_anew();
                learned.push(Observation::Heartbeat(glance.heartbeat(
                    Channel::NodeStatus,
                    stamp,
                    &node.metadata.resource_version,
                )));
            }
        }
        learned
    }

    fn gone(&mut self) -> Vec<Observation> {
        let missing = NodeFacts {
            missing: true,
            ..NodeFacts::default()
        };
        if self.facts.as_ref() == Some(&missing) {
            return Vec::new();
        }
        self.facts = Some(missing.clone());
        vec![Observation::Facts(missing)]
    }
}

impl NodeObserver {
    /// An observer of the Node beside the one of its Lease that has the same record.
    pub(crate) fn beside(record: &Record) -> Self {
        Self {
            record: record.clone(),
            ..Self::default()
        }
    }

    /// A change of Ready. One that came back while nobody looked shows by its transition alone.
    fn ready_change(&mut self, ready: &Condition, glance: Glance) -> Option<ReadyChange> {
        let status = match ready.status.as_str() {
            "True" => ConditionStatus::True,
            "False" => ConditionStatus::False,
            // The API allows no fourth; whatever it were, the node's readiness would be unknown.
            _ => ConditionStatus::Unknown,
        };
        let now = (status, ready.reason.clone(), ready.last_transition_time);
        if self.ready.as_ref() == Some(&now) {
            return None;
        }
        self.ready = Some(now);
        Some(ReadyChange {
            sequence_number: 0,
            status: status.into(),
            reason: wire::clip(ready.reason.clone()),
            transition_time: ready.last_transition_time.map(wire::timestamp),
            arrival_monotonic: Some(wire::duration(glance.at.monotonic)),
            arrival_time: Some(wire::timestamp(glance.at.wall)),
            baseline: glance.baseline,
        })
    }
}

/// The facts of a Node. Whether its list of images was cut depends on a setting that the Node does not carry.
fn facts(node: &Node) -> NodeFacts {
    let info = &node.status.node_info;
    let labels = &node.metadata.labels;
    NodeFacts {
        kubelet_version: info.kubelet_version.clone(),
        container_runtime_version: info.container_runtime_version.clone(),
        kernel_version: info.kernel_version.clone(),
        os_image: info.os_image.clone(),
        listed_images: node.status.listed_images,
        listed_images_cut: false,
        pod_capacity: node
            .status
            .capacity
            .pods
            .as_ref()
            .and_then(|pods| pods.parse().ok()),
        uid: node.metadata.uid.clone(),
        missing: false,
        zone: labels.zone.clone(),
        region: labels.region.clone(),
        instance_type: labels.instance_type.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::tests::{blind_between, first_list, heartbeats, node, seen_at};

    fn ready_changes(learned: Vec<Observation>) -> Vec<ReadyChange> {
        learned
            .into_iter()
            .filter_map(|one| match one {
                Observation::ReadyChange(change) => Some(change),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_status_post_with_a_new_stamp_is_a_heartbeat() {
        let mut observer = NodeObserver::default();
        assert!(heartbeats(observer.observe(&node("u", 0.0, "True"), first_list(1.0)))[0].baseline);
        let next = heartbeats(observer.observe(&node("u", 10.0, "True"), seen_at(10.2)));
        assert_eq!(next.len(), 1);
        assert!(!next[0].baseline);
    }

    #[test]
    fn a_write_that_leaves_the_stamp_alone_is_no_heartbeat() {
        let mut observer = NodeObserver::default();
        observer.observe(&node("u", 0.0, "True"), first_list(1.0));
        assert!(heartbeats(observer.observe(&node("u", 0.0, "True"), seen_at(2.0))).is_empty());
    }

    #[test]
    fn a_stamp_that_went_back_is_credited_all_the_same() {
        let mut observer = NodeObserver::default();
        observer.observe(&node("u", 100.0, "True"), first_list(100.0));
        assert_eq!(
            heartbeats(observer.observe(&node("u", 70.0, "True"), seen_at(110.0))).len(),
            1
        );
    }

    #[test]
    fn the_controllers_unknown_is_a_change_of_ready_and_no_heartbeat() {
        let mut observer = NodeObserver::default();
        assert!(
            ready_changes(observer.observe(&node("u", 0.0, "True"), first_list(1.0)))[0].baseline
        );
        let learned = observer.observe(&node("u", 0.0, "Unknown"), seen_at(42.0));
        assert!(heartbeats(learned.clone()).is_empty());
        let changes = ready_changes(learned);
        assert_eq!(changes[0].status(), ConditionStatus::Unknown);
        assert!(!changes[0].baseline);
    }

    #[test]
    fn a_node_that_flipped_while_nobody_looked_shows_by_its_transition() {
        let mut observer = NodeObserver::default();
        let mut ready = node("u", 0.0, "True");
        observer.observe(&ready, first_list(1.0));
        let condition = ready.status.ready.as_mut().unwrap();
        condition.last_transition_time = Some(seen_at(90.0).at.wall);
        let changes = ready_changes(observer.observe(&ready, blind_between(10.0, 100.0)));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].status(), ConditionStatus::True);
        assert!(ready_changes(observer.observe(&ready, seen_at(110.0))).is_empty());
    }

    #[test]
    fn a_node_created_again_starts_a_new_chain() {
        let mut observer = NodeObserver::default();
        observer.observe(&node("old", 0.0, "True"), first_list(1.0));
        assert!(matches!(&observer.gone()[..], [Observation::Facts(facts)] if facts.missing));
        let again = observer.observe(&node("new", 30.0, "True"), seen_at(30.1));
        assert!(heartbeats(again.clone())[0].baseline);
        assert!(
            again
                .iter()
                .any(|one| matches!(one, Observation::Facts(facts) if facts.uid == "new"))
        );
    }

    #[test]
    fn a_node_that_appears_while_watched_beats_for_the_first_time() {
        let mut observer = NodeObserver::default();
        observer.gone();
        assert!(!heartbeats(observer.observe(&node("u", 5.0, "True"), seen_at(5.1)))[0].baseline);
    }

    #[test]
    fn facts_are_told_once() {
        let mut observer = NodeObserver::default();
        let told = |learned: &[Observation]| {
            learned
                .iter()
                .any(|one| matches!(one, Observation::Facts(_)))
        };
        assert!(told(
            &observer.observe(&node("u", 0.0, "True"), first_list(1.0))
        ));
        assert!(!told(
            &observer.observe(&node("u", 10.0, "True"), seen_at(10.0))
        ));
        assert!(told(&observer.gone()));
        assert!(!told(&observer.gone()));
    }
}
