//! What the driver knows by itself: every post that reached the API server and every watch that the server took.
//!
//! Both are kept by the simulated cluster within bounds, so they are collected all the time.

use std::{collections::BTreeMap, time::Duration};

use nodegrace_sim_cluster::{
    Cluster,
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
}

/// The stories of all nodes, by name and channel.
#[derive(Debug, Default)]
pub(super) struct Truth {
    stories: BTreeMap<String, [Story; 2]>,
    /// Requests answered up to here are known.
    read_until: Duration,
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
    pub(super) fn collect(&mut self, cluster: &Cluster) {
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
        for request in cluster.server().request_log() {
            if request.at <= self.read_until {
                continue;
            }
            self.read_until = request.at;
            if request.verb == "watch"
                && let Some((node, channel, revision)) = watched(&request.path)
                && let Some(story) = self.stories.get_mut(&node)
            {
                story[index(channel)].opened.push(Opened {
                    at: request.at,
                    revision,
                });
            }
        }
    }

    /// Every node's channels, by name.
    pub(super) fn stories(&self) -> impl Iterator<Item = (&str, &[Story; 2])> {
        self.stories
            .iter()
            .map(|(node, story)| (node.as_str(), story))
    }
}

/// Which node's channel an agent's watch is about, and from which revision.
fn watched(path: &str) -> Option<(String, Channel, u64)> {
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
        value("resourceVersion")?.parse().ok()?,
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
            watched(path),
            Some(("node-3".to_owned(), Channel::Lease, 17))
        );
        assert_eq!(watched("/api/v1/nodes?watch=true"), None);
        assert_eq!(watched("/api/v1/pods?resourceVersion=1"), None);
    }
}
