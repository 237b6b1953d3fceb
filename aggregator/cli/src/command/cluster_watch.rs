//! How far the aggregator's watch of the cluster is: what flips and the story of an endpoint are told from, and how it is turned on.

use std::error::Error as _;

use nodegrace_proto::v1::{self, WatchPhase};
use tonic::{Code, Status};

use crate::failure::{Failure, refused};

/// What to do where it is off.
const TURN_ON: &str = "give the aggregator --watch-cluster=on and the rights to list and watch Nodes and EndpointSlices: \
                       `kubectl apply -k` with the component deploy/components/endpoints does both";

/// Why flips and addresses may be missing, in words. Absent: they are not.
pub(super) fn trouble(watch: Option<&v1::ClusterWatch>) -> Option<String> {
    let default = v1::WatchProgress::default();
    let progress = |of: fn(&v1::ClusterWatch) -> Option<&v1::WatchProgress>| {
        watch.and_then(of).unwrap_or(&default)
    };
    let nodes = progress(|watch| watch.nodes.as_ref());
    let slices = progress(|watch| watch.endpoint_slices.as_ref());
    match (nodes.phase(), slices.phase()) {
        // An aggregator that says nothing of it is one of before there was such a watch.
        (WatchPhase::Off | WatchPhase::Unspecified, _) => Some(format!(
            "the cluster is not watched: only what agents saw is known, and no address; {TURN_ON}"
        )),
        (WatchPhase::Complete, WatchPhase::Complete) => None,
        (WatchPhase::Complete, _) => Some(format!(
            "warning: addresses may be missing: the watch of EndpointSlices {}",
            told(slices)
        )),
        _ => Some(format!(
            "warning: flips may be missing: the watch of Nodes {}",
            told(nodes)
        )),
    }
}

/// What keeps a watch.
fn told(progress: &v1::WatchProgress) -> String {
    let phase = match progress.phase() {
        WatchPhase::Behind => "is behind",
        _ => "has not listed them yet",
    };
    if progress.trouble.is_empty() {
        phase.to_owned()
    } else {
        format!("{phase}: {}", progress.trouble)
    }
}

/// The refusal of a question that only the watch can answer.
pub(super) fn refused_without(question: &str, status: &Status) -> Failure {
    match status.code() {
        Code::FailedPrecondition => Failure::Failed(anyhow::anyhow!(
            "the aggregator does not watch the cluster: {TURN_ON}"
        )),
        // Said by the aggregator itself, and not of a connection that is lost.
        Code::Unavailable if status.source().is_none() => Failure::Failed(anyhow::anyhow!(
            "{}: ask again in a moment",
            status.message()
        )),
        _ => refused(question, status),
    }
}
