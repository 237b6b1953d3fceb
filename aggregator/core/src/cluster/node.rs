//! Nodes as the watch shows them, and what their next sight says.

use std::{collections::HashMap, sync::Arc};

use crate::{event::ConditionStatus, figures::Ready, time::WallTime};

/// A Node object, reduced to what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    /// Its name.
    pub name: Arc<str>,
    /// Changes when it is deleted and registered again.
    pub uid: Arc<str>,
    /// Boot id of its machine, by the kubelet's last status. Empty: not told.
    pub boot_id: Arc<str>,
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
    uid: Arc<str>,
    boot_id: Arc<str>,
    ready: Option<Ready>,
}

/// What a sight of a node says beyond the one before.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// Ready left True, or went on to Unknown: its condition now.
    pub(super) left: Option<Ready>,
    /// Its machine was booted anew.
    pub(super) rebooted: bool,
    /// It is another node under the same name.
    pub(super) replaced: bool,
    /// Ready left True and came back, and neither was seen.
    pub(super) unseen_flip: bool,
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
            uid: Arc::clone(&node.uid),
            boot_id: Arc::clone(&node.boot_id),
            ready: node.ready.clone(),
        };
        let before = self.0.insert(Arc::clone(&node.name), known);
        let Some(before) = before else {
            // It may have left Ready while nobody watched.
            let since_then = |ready: &&Ready| {
                watched_until.is_some_and(|until| {
                    ready.status != ConditionStatus::True && ready.transition > until
                })
            };
            return Turn {
                left: node.ready.as_ref().filter(since_then).cloned(),
                ..Turn::default()
            };
        };
        if before.uid != node.uid {
            // A new node is not ready at first, and no heartbeat was lost by that.
            return Turn {
                replaced: true,
                ..Turn::default()
            };
        }
        let (was, is) = (before.ready.as_ref(), node.ready.as_ref());
        let status = |ready: Option<&Ready>| ready.map(|ready| ready.status);
        let left = match (status(was), status(is)) {
            (Some(ConditionStatus::True), Some(ConditionStatus::False))
            | (
                Some(ConditionStatus::True | ConditionStatus::False),
                Some(ConditionStatus::Unknown),
            ) => is.cloned(),
            _ => None,
        };
        let unseen_flip = matches!(
            (was, is),
            (Some(was), Some(is)) if was.status == ConditionStatus::True
                && is.status == ConditionStatus::True
                && was.transition != is.transition
        );
        Turn {
            left,
            rebooted: !before.boot_id.is_empty()
                && !node.boot_id.is_empty()
                && before.boot_id != node.boot_id,
            replaced: false,
            unseen_flip,
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

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
