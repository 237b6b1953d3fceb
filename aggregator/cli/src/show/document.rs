//! Answers for programs: the messages of the API in the JSON that protobuf prescribes, as the web page has them, or that as YAML.

use anyhow::Context as _;
use nodegrace_proto::json;
use prost::{Message, Name};

use crate::failure::Failure;

/// JSON, indented.
///
/// # Errors
/// When the message is not as its description says.
pub fn json<M: Message + Name>(message: &M) -> Result<String, Failure> {
    let document = json::document(message).context("the answer")?;
    let text = serde_json::to_string_pretty(&document);
    Ok(text.context("the answer as JSON")? + "\n")
}

/// YAML.
///
/// # Errors
/// When the message is not as its description says.
pub fn yaml<M: Message + Name>(message: &M) -> Result<String, Failure> {
    let document = json::document(message).context("the answer")?;
    let text = serde_saphyr::to_string(&document);
    Ok(text.context("the answer as YAML")?.trim_end().to_owned() + "\n")
}
