//! Nodes as the watch shows them, and what their next sight says.

use std::{collections::HashMap, sync::Arc};

use super::Machine;
use crate::{event::ConditionStatus, figures::Ready, time::WallTime};

/// A Node object, reduced to what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    /// Its name.
    pub name: Arc<str>,
    /// Its machine.
    pub machine: Machine,
    /// When the Node object was made, by the API server's clock. Absent: not known.
    pub created: Option<WallTime>,
    /// Its Ready condition. Absent: the kubelet never posted one.
    pub ready: Option<Ready>,
    /// Its taints.
    pub taints: Vec<Taint>,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Such as `node.kubernetes.io/unreachable`.
    pub key: Arc<str>,
    /// Such as `NoExecute`.
    pub effect: Arc<str>,
}

impl Taint {
    /// Whether it follows from the node not being Ready: what lets pods be evicted.
    pub(super) fn is_of_readiness(&self) -> bool {
        matches!(
            &*self.key,
            "node.kubernetes.io/unreachable" | "node.kubernetes.io/not-ready"
        )
    }
}

/// What is remembered of a node.
#[derive(Clone, Debug)]
struct Known {
    machine: Machine,
    created: Option<WallTime>,
    ready: Option<Ready>,
}

/// What a sight of a node says beyond the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// Whether it is the node that was seen before.
    pub(super) sight: Sight,
    /// Ready left True, or went on from False to Unknown, or turned unseen and is again what it was.
    pub(super) left: Option<Left>,
    /// Its machine was booted anew.
    pub(super) rebooted: bool,
    /// Ready left True and came back, and neither was seen.
    pub(super) unseen_flip: bool,
}

/// Whether a node was seen before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sight {
    /// Not in this run.
    First,
    /// It was.
    #[default]
    Again,
    /// Another node of its name was.
    Replaced,
}

/// Ready is not True.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// The condition now.
    pub(super) ready: Ready,
    /// What it was seen to be before. Absent: the node is seen for the first time.
    pub(super) was: Option<ConditionStatus>,
}

/// All nodes.
#[derive(Clone, Debug, Default)]
pub(super) struct Nodes(HashMap<Arc<str>, Known>);

impl Nodes {
    pub(super) fn has_room(&self, name: &str, most: usize) -> bool {
        self.0.len() < most || self.0.contains_key(name)
    }

    /// Takes the node as it is now, and says what that tells.
    pub(super) fn see(&mut self, node: &SeenNode, watched_until: Option<WallTime>) -> Turn {
        let known = Known {
            machine: node.machine.clone(),
            created: node.created,
            ready: node.ready.clone(),
        };
        let before = self.0.insert(Arc::clone(&node.name), known);
        let Some(before) = before else {
            // It may have left Ready while nobody watched. One that joined meanwhile is not ready at first, and no heartbeat was lost
            // by that.
            let since_then = |ready: &&Ready| {
                watched_until.is_some_and(|until| {
                    ready.status != ConditionStatus::True
                        && ready.transition > until
                        && node.created.is_none_or(|created| created <= until)
                })
            };
            return Turn {
                sight: Sight::First,
                left: node.ready.as_ref().filter(since_then).map(|ready| Left {
                    ready: ready.clone(),
                    was: None,
                }),
                ..Turn::default()
            };
        };
        if before.machine.is_replaced_by(&node.machine) {
            // A new node is not ready at first, and no heartbeat was lost by that.
            return Turn {
                sight: Sight::Replaced,
                ..Turn::default()
            };
        }
        let (was, is) = (before.ready.as_ref(), node.ready.as_ref());
        let status = |ready: Option<&Ready>| ready.map(|ready| ready.status);
        let turned = matches!(
            (was, is),
            (Some(was), Some(is)) if was.status == is.status && was.transition != is.transition
        );
        let left = match (status(was), status(is)) {
            (Some(ConditionStatus::True), Some(ConditionStatus::False))
            | (
                Some(ConditionStatus::True | ConditionStatus::False),
                Some(ConditionStatus::Unknown),
            ) => is.cloned(),
            // It turned and turned back while the watch was away.
            (Some(ConditionStatus::False), Some(ConditionStatus::False))
            | (Some(ConditionStatus::Unknown), Some(ConditionStatus::Unknown))
                if turned =>
            {
                is.cloned()
            }
            _ => None,
        };
        let unseen_flip = turned && status(is) == Some(ConditionStatus::True);
        Turn {
            left: left.map(|ready| Left {
                ready,
                was: status(was),
            }),
            rebooted: before.machine.was_booted_before(&node.machine),
            unseen_flip,
            ..Turn::default()
        }
    }

    /// True when it was known.
    pub(super) fn forget(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// The names for which `is_there` does not hold.
    pub(super) fn without(&self, is_there: &impl Fn(&str) -> bool) -> Vec<Arc<str>> {
        let names = self.0.keys();
        names.filter(|name| !is_there(name)).cloned().collect()
    }

    /// Every node and its Ready condition.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, Option<&Ready>)> {
        self.0
            .iter()
            .map(|(name, known)| (name, known.ready.as_ref()))
    }

    /// The Ready condition of a node. Absent: there is no such node, or it never had one.
    pub(super) fn ready(&self, name: &str) -> Option<&Ready> {
        self.0.get(name)?.ready.as_ref()
    }

    /// The machine of a node. Absent: there is no such node.
    pub(super) fn machine(&self, name: &str) -> Option<&Machine> {
        Some(&self.0.get(name)?.machine)
    }

    /// When the Node object was made. Absent: there is none, or it is not known.
    pub(super) fn created(&self, name: &str) -> Option<WallTime> {
        self.0.get(name)?.created
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
