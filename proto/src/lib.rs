//! The wire of nodegrace: the `nodegrace.v1` API, the slice of the CRI the agent reads, their descriptors, and what the
//! aggregator keeps on disk.

pub mod codec;
pub mod json;

pub use prost_types;

/// Package `nodegrace.v1`: what agents report and what people ask. See `proto/nodegrace/v1/*.proto`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    reason = "generated; what the generator adds has no comments"
)]
pub mod v1 {
    tonic::include_proto!("nodegrace.v1");
}

/// Package `nodegrace.store`: what the aggregator keeps on disk. See `proto/nodegrace/store/v1/*.proto`.
pub mod store {
    /// The first and, as long as fields are only added, the only version.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        missing_docs,
        reason = "generated; what the generator adds has no comments"
    )]
    pub mod v1 {
        tonic::include_proto!("nodegrace.store.v1");
    }
}

/// Package `runtime.v1`: the slice of the CRI that the agent reads. See `proto/runtime/v1/cri.proto`.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    missing_docs,
    reason = "generated; what the generator adds has no comments"
)]
pub mod cri {
    tonic::include_proto!("runtime.v1");
}

/// Name of the metadata in which the answer to `Report` names the history that keeps the records, in 32 hexadecimal digits.
pub const HISTORY_ID: &str = "nodegrace-history-id";

/// The descriptor set of [`v1`] and what it imports, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/nodegrace.v1.bin"));
