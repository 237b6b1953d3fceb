//! What the driver knows by itself: every post that reached the API server and every watch that the server took.
//!
//! Both are kept by the simulated cluster within bounds, so they are collected all the time.

use std::collections::BTreeMap;

use anyhow::Context as _;
use nodegrace_sim_cluster::{
    Cluster,
    api::Logged,
    kubelet::{Channel, Posted},
};

use super::witness::Opened;

/// One channel of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// Its posts, in order.
    pub(super) posts: Vec<Posted>,
    /// The watches of its object, in order.
    pub(super) opened: Vec<Opened>,
    /// Whether the object was listed since the last of them.
    pub(super) listed: bool,
}

/// The stories of all nodes, by name and channel.
#[derive(Debug, Default)]
pub(super) struct Truth {
    stories: BTreeMap<String, [Story; 2]>,
    /// The newest request that is known. Absent: none yet.
    newest: Option<Logged>,
}

/// Where a channel's story is.
pub(super) const fn index(channel: Channel) -> usize {
    match channel {
        Channel::Lease => 0,
        Channel::NodeStatus => 1,
    }
}

impl Truth {
    /// Takes what is new in the cluster.
    ///
    /// # Errors
    /// When the cluster forgot requests before they were taken.
    pub(super) fn collect(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        for node in cluster.nodes() {
            let name = &node.spec().name;
            let story = self.stories.entry(name.clone()).or_default();
            for posted in cluster.ledger().of(name) {
                let posts = &mut story[index(posted.channel)].posts;
                if posts
                    .last()
                    .is_none_or(|last| last.revision < posted.revision)
                {
                    posts.push(posted);
                }
            }
        }
        // By place in the log, not by time: requests answered at once are booked in any order.
        let log = cluster.server().request_log();
        let known = match &self.newest {
            Some(newest) => log
                .iter()
                .rposition(|request| request == newest)
                .map(|last| last + 1)
                .context("the API server's log forgot requests before they were read")?,
            None => 0,
        };
        for request in &log[known..] {
            self.note(request);
        }
        self.newest = log.last().cloned().or(self.newest.take());
        Ok(())
    }

    /// Takes a list or a watch of a node's object.
    fn note(&mut self, request: &Logged) {
        let Some((node, channel, revision)) = asked(&request.path) else {
            return;
        };
        let Some(story) = self.stories.get_mut(&node) else {
            return;
        };
        let story = &mut story[index(channel)];
        match (request.verb.as_str(), revision) {
            ("list", _) => story.listed = true,
            ("watch", Some(revision)) => story.opened.push(Opened {
                at: request.at,
                revision,
                listed: std::mem::take(&mut story.listed),
            }),
            _ => {}
        }
    }

    /// Every node's channels, by name.
    pub(super) fn stories(&self) -> impl Iterator<Item = (&str, &[Story; 2])> {
        self.stories
            .iter()
            .map(|(node, story)| (node.as_str(), story))
    }
}

/// Which node's channel an agent's list or watch is about, and the revision that it names.
fn asked(path: &str) -> Option<(String, Channel, Option<u64>)> {
    let (path, query) = path.split_once('?')?;
    let channel = if path.ends_with("/leases") {
        Channel::Lease
    } else if path.ends_with("/nodes") {
        Channel::NodeStatus
    } else {
        return None;
    };
    let value = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find_map(|(key, value)| (key == name).then_some(value))
    };
    let node = value("fieldSelector")?.strip_prefix("metadata.name%3D")?;
    Some((
        node.to_owned(),
        channel,
        value("resourceVersion").and_then(|revision| revision.parse().ok()),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_tells_its_node_its_channel_and_its_revision() {
        let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?&watch=true&timeoutSeconds=250\
            &fieldSelector=metadata.name%3Dnode-3&allowWatchBookmarks=true&resourceVersion=17";
        assert_eq!(
            asked(path),
            Some(("node-3".to_owned(), Channel::Lease, Some(17)))
        );
        assert_eq!(
            asked("/api/v1/nodes?&fieldSelector=metadata.name%3Dnode-3&limit=500"),
            Some(("node-3".to_owned(), Channel::NodeStatus, None))
        );
        assert_eq!(asked("/api/v1/nodes?watch=true"), None);
        assert_eq!(asked("/api/v1/pods?resourceVersion=1"), None);
    }
}
