//! Answers for programs: the messages of the API in the JSON that protobuf prescribes, as grpcurl prints them, or that as YAML.

use std::sync::LazyLock;

use anyhow::Context as _;
use nodegrace_proto::{FILE_DESCRIPTOR_SET, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use crate::failure::Failure;

/// What the messages are described by: the same descriptors that the aggregator serves by reflection.
static DESCRIPTORS: LazyLock<Result<DescriptorPool, prost_reflect::DescriptorError>> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET));

/// An answer of the API.
pub trait Document: Message {
    /// Its name in the package `nodegrace.v1`.
    const NAME: &'static str;
}

macro_rules! documents {
    ($($message:ident),*) => {
        $(impl Document for v1::$message {
            const NAME: &'static str = stringify!($message);
        })*
    };
}

documents!(
    Fleet,
    ListGapsResponse,
    ListNodesResponse,
    Node,
    RecommendResponse,
    SimulateGraceResponse
);

/// JSON, indented.
///
/// # Errors
/// When the message is not as its description says.
pub fn json<M: Document>(message: &M) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(&described(message)?);
    Ok(text.context("the answer as JSON")? + "\n")
}

/// YAML.
///
/// # Errors
/// When the message is not as its description says.
pub fn yaml<M: Document>(message: &M) -> Result<String, Failure> {
    let text = serde_saphyr::to_string(&described(message)?);
    Ok(text.context("the answer as YAML")?.trim_end().to_owned() + "\n")
}

fn described<M: Document>(message: &M) -> Result<DynamicMessage, Failure> {
    let pool = DESCRIPTORS
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let name = format!("nodegrace.v1.{}", M::NAME);
    let descriptor = pool.get_message_by_name(&name);
    let descriptor = descriptor.with_context(|| format!("{name} is not described"))?;
    let described = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice());
    Ok(described.with_context(|| name)?)
}
