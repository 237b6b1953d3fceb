//! What the aggregator is held against: a bare gRPC server that takes agents' streams, decodes, counts and acknowledges.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use futures::{StreamExt as _, stream::BoxStream};
use nodegrace_proto::v1::{
    ReportAck, ReportBatch,
    ingest_server::{Ingest, IngestServer},
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use super::args::SinkRole;

/// Records so far.
#[derive(Clone, Debug, Default)]
struct Sink(Arc<AtomicU64>);

#[tonic::async_trait]
impl Ingest for Sink {
    type ReportStream = BoxStream<'static, Result<ReportAck, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let sink = self.clone();
        let acks = request.into_inner().map(move |batch| {
            let batch = batch?;
            let records = batch.heartbeats.len() + batch.samples.len();
            sink.0.fetch_add(records as u64, Ordering::Relaxed);
            Ok(ReportAck {
                sequence_number: (batch.first_sequence_number + records as u64).saturating_sub(1),
                ..ReportAck::default()
            })
        });
        Ok(Response::new(acks.boxed()))
    }
}

impl SinkRole {
    /// Serves until the process ends.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let server = Server::builder().add_service(IngestServer::new(Sink::default()));
        Ok(server.serve(self.listen).await?)
    }
}
