//! A node as its snapshot on disk, and back.

mod causes;
mod doubt;
mod figures;
mod history;

use std::sync::Arc;

use nodegrace_core::NodeSnapshot;
use nodegrace_proto::store::v1;

pub(super) use self::figures::{duration, nanos, posts, since, to_posts};
use super::row::Saved;
use crate::register::{Beside, Known, LatestSample, News};

/// What is wrong with a snapshot.
#[derive(Debug, thiserror::Error)]
#[error("{0} is missing or unknown")]
pub(super) struct Malformed(&'static str);

/// The snapshot of `known`.
pub(super) fn save(known: Known<'_>) -> Saved {
    let history = known.history.export();
    let (boot_id, agent_start) = match &history.instance.current {
        Some(agent) => (Arc::clone(&agent.boot_id), agent.start),
        None => (Arc::from(""), std::time::Duration::ZERO),
    };
    let beside = known.beside;
    Saved {
        node: Arc::clone(&history.name),
        boot_id,
        agent_start,
        last_number: history.instance.highest,
        heartbeats: known.history.heartbeats(),
        flips: history.flips_seen,
        snapshot: v1::NodeSnapshot {
            history: Some(history::to_disk(history)),
            agent: Some(beside.agent.clone()),
            views: beside.views.clone(),
            sample: beside.sample.as_ref().map(LatestSample::message),
            facts: beside.facts.as_deref().cloned(),
            settings: beside.settings.as_deref().cloned(),
        },
    }
}

/// The node of a snapshot.
///
/// # Errors
/// Names the part that is missing or unknown.
pub(super) fn load(
    name: &str,
    snapshot: v1::NodeSnapshot,
) -> Result<(NodeSnapshot, Beside), Malformed> {
    let history = snapshot.history.ok_or(Malformed("history"))?;
    let beside = Beside::kept(
        snapshot.agent.unwrap_or_default(),
        News {
            views: snapshot.views,
            sample: snapshot.sample.as_ref().map(LatestSample::of),
            facts: snapshot.facts.map(Box::new),
            settings: snapshot.settings.map(Box::new),
            // The course of a node is in memory only.
            looks: Vec::new(),
        },
    );
    Ok((history::from_disk(name, history)?, beside))
}
