//! Who sends a batch: the part of it that must be right and must not change within a stream.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{AgentId, WallTime};
use nodegrace_proto::v1;

use super::{fields, invalid::Invalid};

/// Longest name of a node, as of everything that Kubernetes checks as a DNS-1123 subdomain.
const MAX_NODE_NAME: usize = 253;

/// The checked envelope of a batch.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    pub(super) node: Arc<str>,
    pub(super) agent: AgentId,
    /// When the batch was sent, since boot.
    pub(super) sent: Duration,
    /// When the batch was sent, by the node's wall clock.
    pub(super) sent_time: WallTime,
}

impl Envelope {
    /// Checks the envelope of `batch`, and against `first` that it does not change within the stream.
    ///
    /// # Errors
    /// Names the field that is wrong.
    pub(super) fn of(batch: &v1::ReportBatch, first: Option<&Self>) -> Result<Self, Invalid> {
        let same_node = first.is_some_and(|first| *first.node == *batch.node_name);
        if !same_node && !is_node_name(&batch.node_name) {
            return Err(Invalid::new(
                "node_name",
                format!(
                    "must be a DNS-1123 subdomain of at most {MAX_NODE_NAME} characters: lower case letters, digits, '-' \
                     and '.', beginning and ending with a letter or digit"
                ),
            ));
        }
        let agent = batch
            .agent
            .as_ref()
            .ok_or_else(|| Invalid::new("agent", "is missing"))?;
        let start = agent_start(agent).map_err(|invalid| invalid.within("agent"))?;
        let (node, agent) = match first {
            Some(_) if !same_node => {
                return Err(Invalid::new("node_name", "must not change within a stream"));
            }
            // One copy of the names for all batches of the stream.
            Some(first) if first.agent.start == start && *first.agent.boot_id == *agent.boot_id => {
                (Arc::clone(&first.node), first.agent.clone())
            }
            Some(_) => return Err(Invalid::new("agent", "must not change within a stream")),
            None => {
                let boot_id = Arc::from(agent.boot_id.as_str());
                let node = Arc::from(batch.node_name.as_str());
                (node, AgentId { boot_id, start })
            }
        };
        Ok(Self {
            node,
            agent,
            sent: fields::duration("sent_monotonic", batch.sent_monotonic)?,
            sent_time: fields::time("sent_time", batch.sent_time)?,
        })
    }
}

/// Checks an agent's instance; gives when it started, since boot.
fn agent_start(agent: &v1::AgentInstance) -> Result<Duration, Invalid> {
    if agent.boot_id.is_empty() {
        return Err(Invalid::new("boot_id", "is missing"));
    }
    fields::short("version", &agent.version)?;
    fields::time("start_time", agent.start_time)?;
    fields::short("boot_id", &agent.boot_id)?;
    fields::duration("start_monotonic", agent.start_monotonic)
}

fn is_node_name(name: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.first().is_some_and(|byte| alphanumeric(*byte))
            && bytes.last().is_some_and(|byte| alphanumeric(*byte))
            && bytes
                .iter()
                .all(|byte| alphanumeric(*byte) || *byte == b'-')
    };
    name.len() <= MAX_NODE_NAME && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names_are_what_kubernetes_takes() {
        for name in ["a", "node-1", "ip-10-0-0-1.ec2.internal", "0"] {
            assert!(is_node_name(name), "{name}");
        }
        for name in [
            "",
            "Node",
            "-a",
            "a-",
            "a..b",
            ".a",
            "a_b",
            "a b",
            "é",
            &"a".repeat(254),
        ] {
            assert!(!is_node_name(name), "{name}");
        }
    }
}
