//! Who else is told of a heartbeat, and how long it takes until the aggregator shows it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use nodegrace_proto::v1::{Channel as Way, GetNodeRequest};
use rand::Rng as _;

use super::{
    Load,
    agent::{Agent, LEASE},
    batch::Moment,
};

/// How often it is looked whether a heartbeat shows.
const LOOK: Duration = Duration::from_millis(1);
/// When it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

impl Agent {
    /// Tells the exporter of a renewal, where there is one.
    pub(super) async fn mirror(&self, at: Moment) {
        let Some(mirror) = &self.load.mirror else {
            return;
        };
        let stamp = at.wall.duration_since(UNIX_EPOCH);
        let mut words = [0; 12];
        words[..4].copy_from_slice(&self.number.to_le_bytes());
        words[4..].copy_from_slice(&stamp.unwrap_or_default().as_secs_f64().to_le_bytes());
        if let Err(error) = mirror.send(&words).await {
            tracing::warn!(%error, "the exporter does not hear of a renewal");
        }
    }

    /// Times how long a heartbeat takes until it shows, of a few of them.
    pub(super) fn probe(&mut self, at: Moment) {
        let Load { role, probes, .. } = &*self.load;
        let chance = f64::from(role.probes) * LEASE / f64::from(role.agents);
        if !self.random.random_bool(chance.min(1.0)) {
            return;
        }
        let Ok(place) = Arc::clone(probes).try_acquire_owned() else {
            return;
        };
        let (load, name) = (Arc::clone(&self.load), self.node.clone());
        tokio::spawn(async move {
            let _place = place;
            let (mut query, clock) = (load.query.clone(), load.clock.clone());
            while clock.now() < at.monotonic + PATIENCE {
                let request = GetNodeRequest { name: name.clone() };
                let answer = query.get_node(request).await;
                let channels = answer.map(|node| node.into_inner().channels);
                let shows = channels.is_ok_and(|channels| {
                    let lease = channels.iter().find(|one| one.channel() == Way::Lease);
                    let last = lease.and_then(|lease| lease.last_arrival_time);
                    let last = last.and_then(|last| last.try_into().ok());
                    last.is_some_and(|last: SystemTime| last >= at.wall)
                });
                if shows {
                    break;
                }
                clock.sleep(LOOK).await;
            }
            let took = clock.now().saturating_sub(at.monotonic);
            load.tally.lock().visible.note(took);
        });
    }
}
