//! Snapshots as the database keeps them, for the fuzz targets.

use nodegrace_core::NodeSnapshot;
use nodegrace_proto::store::v1;
use prost::Message as _;

use super::snapshot;
use crate::register::{Beside, Known};

/// The bytes that are kept of `known`.
pub(crate) fn save(known: Known<'_>) -> Vec<u8> {
    snapshot::save(known).snapshot.encode_to_vec()
}

/// The node called `name`, of these bytes.
///
/// # Errors
/// When they are no snapshot.
pub(crate) fn load(name: &str, bytes: &[u8]) -> anyhow::Result<(NodeSnapshot, Beside)> {
    Ok(snapshot::load(name, v1::NodeSnapshot::decode(bytes)?)?)
}
