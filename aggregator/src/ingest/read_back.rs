//! A batch as the log kept it, checked and converted as when it came.

use std::time::Duration;

use anyhow::Context as _;
use nodegrace_proto::v1::ReportBatch;
use prost::Message as _;

use super::{convert, envelope::Envelope};
use crate::register::Batch;

/// The batch that was received then; `opens` when it was the first of its stream.
///
/// # Errors
/// When it is no batch, or its envelope is not one that was ever taken.
pub(crate) fn read_back(wire: &[u8], opens: bool, received: Duration) -> anyhow::Result<Batch> {
    let batch = ReportBatch::decode(wire).context("not a batch")?;
    let envelope = Envelope::of(&batch, None)?;
    let instance = batch.agent.clone().filter(|_| opens);
    let converted = convert::batch(envelope, batch);
    Ok(Batch {
        report: converted.report,
        news: converted.news,
        instance,
        received,
    })
}
