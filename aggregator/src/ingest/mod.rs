//! What agents report: checked, converted and applied to the register, then acknowledged.

mod badge;
mod convert;
mod envelope;
mod fields;
mod invalid;
mod limits;
mod read_back;
mod session;

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use nodegrace_proto::{
    HISTORY_ID,
    v1::{ReportAck, ReportBatch, ingest_server::Ingest},
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::{badge::Badge, session::Session};
pub(crate) use self::{limits::MAX_MESSAGE_SIZE, read_back::read_back};
use crate::{aggregator::Parts, trust::Shown};

/// The `nodegrace.v1.Ingest` service.
#[derive(Debug)]
pub(crate) struct Service {
    parts: Arc<Parts>,
    /// One permit for each stream that may be open.
    streams: Arc<Semaphore>,
    shutdown: CancellationToken,
}

impl Service {
    /// A service that ends its streams at `shutdown`.
    pub(crate) fn new(parts: Arc<Parts>, shutdown: CancellationToken) -> Self {
        Self {
            streams: Arc::new(Semaphore::new(parts.config.limits.report_streams)),
            parts,
            shutdown,
        }
    }
}

#[tonic::async_trait]
impl Ingest for Service {
    type ReportStream = BoxStream<'static, Result<ReportAck, Status>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        let parts = &self.parts;
        let permit = Arc::clone(&self.streams).try_acquire_owned();
        let permit = permit
            .map_err(|_| Status::resource_exhausted("too many agents report to this aggregator"));
        let shown = Shown::with(&request);
        let admitted = async { Ok((permit?, Badge::check(shown, parts).await?)) };
        let (permit, badge) = admitted
            .await
            .inspect_err(|status| session::count_refusal(parts, None, status))?;
        let session = Session::new(
            Arc::clone(parts),
            request.into_inner(),
            badge,
            permit,
            self.shutdown.clone(),
        );
        let mut answer = Response::new(session.acks().boxed());
        let history = self.parts.store.history();
        answer.metadata_mut().insert(HISTORY_ID, history.clone());
        Ok(answer)
    }
}
