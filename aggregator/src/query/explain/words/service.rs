//! What is said of the Service itself: what became of its addresses without a flip, and all of it in a sentence or two.

use std::sync::Arc;

use nodegrace_core::cluster::{
    AddressChange, Flip, FlipKind, FlipRule, LostAddress, Service, What,
};
use nodegrace_proto::v1::{TimelineEntry, TimelineKind};

use super::seconds;
use crate::{query::explain::Addresses, wire};

/// A change of an address that no flip led to.
pub(in crate::query::explain) fn change(change: &AddressChange) -> TimelineEntry {
    let endpoint = &change.endpoint;
    let (kind, words) = match change.what {
        What::Left => (
            TimelineKind::AddressLeft,
            "left: its pod is not ready, and its node is",
        ),
        What::Drained => (
            TimelineKind::AddressDrained,
            "is drained: its pod is being deleted",
        ),
        What::Removed | What::Gone => (TimelineKind::AddressRemoved, "was taken off the list"),
        What::Returned => (TimelineKind::AddressReturned, "is ready again"),
        What::Added | What::Listed => (TimelineKind::AddressAdded, "is new"),
        // What is no change for traffic is not kept as one.
        What::Moved => (TimelineKind::AddressAdded, "is on another slice"),
    };
    TimelineEntry {
        time: Some(wire::to_timestamp(change.moment.time)),
        kind: kind.into(),
        sentence: format!("{} {words}", endpoint.address),
        node_name: endpoint.node.as_deref().unwrap_or_default().to_owned(),
        address: endpoint.address.to_string(),
        pod_name: endpoint.pod.as_deref().unwrap_or_default().to_owned(),
        ..TimelineEntry::default()
    }
}

/// The story in a sentence or two.
pub(in crate::query::explain) fn summary(
    service: &Service,
    flips: &[Arc<Flip>],
    rule: &FlipRule,
    now: Option<&Addresses>,
) -> String {
    let today = now.map_or_else(
        || format!("What addresses {service} has now is not known"),
        |Addresses { ready, all }| match all {
            0 => format!("{service} has no address now"),
            _ => format!("{ready} of {all} addresses of {service} are ready now"),
        },
    );
    let Some(last) = flips.last() else {
        return format!("No node that was not Ready took an address along. {today}.");
    };
    let own = || last.lost.iter().filter(|lost| lost.service == *service);
    let times = match flips.len() {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    let why = match last.kind(rule) {
        FlipKind::HeartbeatLost => "its heartbeats were late",
        FlipKind::KubeletNotReady => "its kubelet said so",
        FlipKind::ControllerStale => "the controller did not see heartbeats that were there",
        FlipKind::NodeRebooted => "its machine was booted anew",
        FlipKind::NodeDeleted => "it was taken out of the cluster",
    };
    let longest = own().filter_map(LostAddress::outage).max();
    let away = longest.map_or_else(String::new, |away| {
        format!(", away for up to {}", seconds(away))
    });
    let count = own().count();
    let noun = if count == 1 { "address" } else { "addresses" };
    format!(
        "Nodes that were not Ready took addresses along {times}, last {}: {why}, and {count} {noun} went{away}. {today}.",
        last.node
    )
}
