//! Drives the controller at the clock's pace, applies its verdicts and remembers every flip.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use nodegrace_clock::Clock;

use super::{
    endpoints::Slices,
    mark,
    rule::{Lost, NodeLifecycle, NodeView, ReadyView, Rule},
};
use crate::{
    api::{
        ApiServer, Event, Key, NODE_LEASE_NAMESPACE, Object, Reach, Refusal, Resource, Selector,
        Since, condition,
    },
    stamp,
};

/// One node given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The node.
    pub node: String,
    /// When it was marked Unknown, on the cluster's monotonic clock.
    pub at: Duration,
    /// The gap so far as the controller measured it: from the poll that saw the last heartbeat to this one.
    pub unseen_for: Duration,
}

/// The controller: cheap to clone.
#[derive(Clone, Debug)]
pub struct Controller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    server: ApiServer,
    clock: Clock,
    rule: Rule,
    flips: Mutex<Vec<Flip>>,
    stale: AtomicBool,
}

impl Controller {
    /// A controller of the cluster behind `server`.
    pub(crate) fn new(server: ApiServer, clock: Clock, rule: Rule) -> Self {
        Self(Arc::new(Inner {
            server,
            clock,
            rule,
            flips: Mutex::new(Vec::new()),
            stale: AtomicBool::new(false),
        }))
    }

    /// Its settings.
    pub fn rule(&self) -> &Rule {
        &self.0.rule
    }

    /// Every flip so far, oldest first.
    pub fn flips(&self) -> Vec<Flip> {
        self.0
            .flips
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Makes its watch of Leases stale: it goes on with the Leases it has seen. Up to Kubernetes 1.36 this flips healthy nodes.
    pub fn freeze_leases(&self, on: bool) {
        self.0.stale.store(on, Ordering::Relaxed);
    }

    /// Polls until the future is dropped.
    pub(crate) async fn run_polls(self) {
        let inner = &*self.0;
        let mut memory = NodeLifecycle::default();
        let mut leases = HashMap::new();
        loop {
            // Without an API server the controller sees nothing new and writes nothing; a standby would take over later.
            if inner.server.reach() == Reach::Up {
                if !inner.stale.load(Ordering::Relaxed) {
                    leases = self.leases();
                }
                let lost = self.poll(&mut memory, &leases);
                for lost in lost {
                    if let Err(refusal) = self.give_up(&lost) {
                        tracing::warn!(node = %lost.name, %refusal, "node could not be marked");
                    }
                }
            }
            inner
                .clock
                .sleep(inner.rule.monitor_period + inner.rule.pass)
                .await;
        }
    }

    fn leases(&self) -> HashMap<String, i64> {
        let selector = Selector::within(NODE_LEASE_NAMESPACE);
        let (leases, _) = self.0.server.store().list(Resource::Lease, &selector);
        leases
            .iter()
            .filter_map(|lease| Some((lease.key.name.clone(), renewed(lease)?)))
            .collect()
    }

    fn poll(&self, memory: &mut NodeLifecycle, leases: &HashMap<String, i64>) -> Vec<Lost> {
        let inner = &*self.0;
        let store = inner.server.store();
        let (nodes, _) = store.list(Resource::Node, &Selector::default());
        let view: Vec<NodeView> = nodes
            .iter()
            .map(|node| NodeView {
                name: node.key.name.clone(),
                ready: ready_view(node),
                renewed: leases.get(&node.key.name).copied(),
            })
            .collect();
        for node in &nodes {
            let stayed = ready_view(node).is_some_and(|ready| ready.unknown);
            if stayed
                && let Err(refusal) =
                    mark::taint_no_execute(store, &node.key.name, inner.clock.wall())
            {
                tracing::warn!(node = %node.key.name, %refusal, "node could not be tainted");
            }
        }
        memory.poll(inner.clock.now(), &inner.rule, &view, |name| {
            let lease = store.get(Resource::Lease, &Key::new(NODE_LEASE_NAMESPACE, name));
            renewed(&*lease.ok()?)
        })
    }

    fn give_up(&self, lost: &Lost) -> Result<(), Refusal> {
        let inner = &*self.0;
        mark::unknown(inner.server.store(), &lost.name, inner.clock.wall())?;
        let at = inner.clock.now();
        tracing::debug!(node = %lost.name, "node marked unknown");
        inner
            .flips
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Flip {
                node: lost.name.clone(),
                at,
                unseen_for: at.saturating_sub(lost.probed),
            });
        Ok(())
    }

    /// Follows Nodes and Pods until the future is dropped: taints go when a node is ready again, endpoint addresses follow pods.
    pub(crate) async fn run_followers(self) -> Result<(), Refusal> {
        let store = self.0.server.store();
        loop {
            let mut nodes = store.watch(Resource::Node, Selector::default(), Since::State)?;
            let mut slices = Slices::default();
            let mut pods = store.watch(Resource::Pod, Selector::default(), Since::State)?;
            loop {
                let event = tokio::select! {
                    event = nodes.next() => event,
                    event = pods.next() => event,
                };
                match event {
                    Some(Event::Change(_, object)) => {
                        if let Err(refusal) = self.follow(&object, &mut slices) {
                            tracing::debug!(object = %object.key.name, %refusal, "object gone meanwhile");
                        }
                    }
                    Some(Event::Bookmark(..)) => {}
                    // Cut off or expired: begin anew with the state.
                    Some(Event::Error(_)) | None => break,
                }
            }
        }
    }

    fn follow(&self, object: &Object, slices: &mut Slices) -> Result<(), Refusal> {
        let store = self.0.server.store();
        match object.resource {
            Resource::Node if is_ready(object) => mark::untaint(store, object),
            Resource::Pod => slices.follow(store, object, self.0.clock.wall()),
            _ => Ok(()),
        }
    }
}

fn is_ready(node: &Object) -> bool {
    condition(&node.value, "Ready").is_some_and(|ready| ready["status"] == "True")
}

fn ready_view(node: &Object) -> Option<ReadyView> {
    let ready = condition(&node.value, "Ready")?;
    Some(ReadyView {
        unknown: ready["status"] == "Unknown",
        heartbeat: stamp::parse(ready["lastHeartbeatTime"].as_str()?)?.as_second(),
    })
}

fn renewed(lease: &Object) -> Option<i64> {
    let text = lease.value["spec"]["renewTime"].as_str()?;
    Some(stamp::parse(text)?.as_microsecond())
}
