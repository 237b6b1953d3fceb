//! Messages as JSON: the canonical mapping of proto3, from the descriptors that gRPC reflection serves.
//!
//! One mapping for everybody who prints JSON, so that the web page, the command line and grpcurl say the same words: names in
//! lowerCamelCase, enums by name, 64-bit integers as strings, durations as `"3.5s"`, timestamps in RFC 3339. A field that cannot
//! be absent is always there, zero and empty included, as `grpcurl -emit-defaults` has it; one that can be absent and is, is
//! left out: a reader needs no proto file to tell zero from unknown.

use std::sync::LazyLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Why a message has no JSON.
#[derive(Debug)]
pub enum Error {
    /// [`FILE_DESCRIPTOR_SET`](crate::FILE_DESCRIPTOR_SET) does not describe it: it is not of package `nodegrace.v1`.
    NotPublic(String),
    /// A value that JSON has no form for, such as a timestamp after the year 9999.
    Value(serde_json::Error),
}

impl std::fmt::Display for Error {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotPublic(name) => write!(out, "{name} is not part of the public API"),
            Self::Value(_) => out.write_str("a value has no form in JSON"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NotPublic(_) => None,
            Self::Value(error) => Some(error),
        }
    }
}

/// What describes the public messages. Empty if the build made none, which the tests below would show.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(crate::FILE_DESCRIPTOR_SET).unwrap_or_default());

/// A message that serde can serialize, with its fields in their order: for whatever else than one line of JSON is wanted.
#[derive(Debug)]
pub struct Document(DynamicMessage);

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let options = SerializeOptions::new().skip_default_fields(false);
        self.0.serialize_with_options(serializer, &options)
    }
}

/// The message as a document.
///
/// # Errors
/// When it is none of `nodegrace.v1`.
pub fn document<M: Message + Name>(message: &M) -> Result<Document, Error> {
    let name = M::full_name();
    let Some(descriptor) = POOL.get_message_by_name(&name) else {
        return Err(Error::NotPublic(name));
    };
    let mut dynamic = DynamicMessage::new(descriptor);
    // Both sides were generated from one descriptor set, so that it cannot fail; if it did, the message would be at fault.
    dynamic
        .transcode_from(message)
        .map_err(|_| Error::NotPublic(name))?;
    Ok(Document(dynamic))
}

/// The message as a JSON value, to go on working with.
///
/// # Errors
/// When it is none of `nodegrace.v1`, or holds a value that JSON has no form for.
pub fn to_value<M: Message + Name>(message: &M) -> Result<Value, Error> {
    serde_json::to_value(document(message)?).map_err(Error::Value)
}

/// The message as JSON text on one line.
///
/// # Errors
/// As [`to_value`].
pub fn to_string<M: Message + Name>(message: &M) -> Result<String, Error> {
    serde_json::to_string(&document(message)?).map_err(Error::Value)
}

#[cfg(test)]
mod tests {
    use prost_types::{Duration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::{store, v1};

    #[test]
    fn a_message_has_the_shape_that_grpcurl_prints() {
        let gap = v1::Gap {
            node_name: "node-1".to_owned(),
            duration: Some(Duration {
                seconds: 3,
                nanos: 500_000_000,
            }),
            start_time: Some(Timestamp {
                seconds: 1_700_000_000,
                nanos: 250_000_000,
            }),
            start_channel: v1::Channel::Lease.into(),
            flip_probability: 0.25,
            ..v1::Gap::default()
        };
        let gap = to_value(&gap).unwrap();
        assert_eq!(gap["nodeName"], "node-1");
        assert_eq!(gap["duration"], "3.500s");
        assert_eq!(gap["startTime"], "2023-11-14T22:13:20.250Z");
        assert_eq!(gap["startChannel"], "CHANNEL_LEASE");
        assert_eq!(gap["flipProbability"], 0.25);
    }

    #[test]
    fn zero_is_told_and_unknown_is_left_out() {
        let node = to_value(&v1::Node::default()).unwrap();
        assert_eq!(node["flipsSeen"], "0", "64 bits, as text");
        assert_eq!(node["state"], "STATE_UNSPECIFIED");
        assert_eq!(node["causes"], json!([]));
        assert_eq!(node.get("runningGap"), None);
        let load = to_value(&v1::Load::default()).unwrap();
        assert_eq!(load["runnableTasks"], 0);
        assert_eq!(load.get("cpus"), None, "optional and absent");
    }

    #[test]
    fn a_negative_duration_keeps_its_sign() {
        let margin = v1::Margin {
            p99: Some(Duration {
                seconds: -1,
                nanos: -500_000_000,
            }),
            ..v1::Margin::default()
        };
        assert_eq!(to_value(&margin).unwrap()["p99"], "-1.500s");
    }

    #[test]
    fn the_text_holds_the_same_as_the_value() {
        let fleet = v1::Fleet {
            nodes: 5_000,
            ..v1::Fleet::default()
        };
        let text: Value = serde_json::from_str(&to_string(&fleet).unwrap()).unwrap();
        assert_eq!(text, to_value(&fleet).unwrap());
        assert_eq!(text["nodes"], "5000");
    }

    #[test]
    fn what_is_not_public_has_no_json() {
        let kept = store::v1::NodeSnapshot::default();
        assert!(matches!(to_value(&kept), Err(Error::NotPublic(_))));
    }

    #[test]
    fn a_moment_that_json_has_no_form_for_is_an_error() {
        let gap = v1::Gap {
            start_time: Some(Timestamp {
                seconds: i64::MAX,
                nanos: 0,
            }),
            ..v1::Gap::default()
        };
        assert!(matches!(to_value(&gap), Err(Error::Value(_))));
    }
}
