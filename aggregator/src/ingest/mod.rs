//! What agents report: checked, converted and applied to the register, then acknowledged.

mod badge;
mod convert;
mod envelope;
mod fields;
mod invalid;
mod limits;
mod pace;
mod read_back;
mod session;
mod stream_places;

use std::sync::Arc;

use futures::{StreamExt as _, stream::BoxStream};
use nodegrace_proto::{
    HISTORY_ID,
    v1::{ReportAck, ReportBatch, ingest_server::Ingest},
};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use self::{badge::Badge, session::Session, stream_places::StreamPlaces};
pub(crate) use self::{limits::MAX_MESSAGE_SIZE, read_back::read_back};
use crate::{aggregator::Parts, serve::Peer, trust::Shown};

/// The `nodegrace.v1.Ingest` service.
#[derive(Debug)]
pub(crate) struct Service {
    parts: Arc<Parts>,
    places: StreamPlaces,
    shutdown: CancellationToken,
}

impl Service {
    /// A service that ends its streams at `shutdown`.
    pub(crate) fn new(parts: Arc<Parts>, shutdown: CancellationToken) -> Self {
        Self {
            places: StreamPlaces::new(&parts.config.limits),
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
        let (place, shown) = (self.places.one_of_all(), Shown::with(&request));
        let address = request
            .extensions()
            .get::<Peer>()
            .map(|peer| peer.address.ip());
        let admitted = async {
            let place = place?;
            let badge = Badge::check(shown, parts).await?;
            Ok((self.places.own(place, badge.node(), address)?, badge))
        };
        let (place, badge) = admitted
            .await
            .inspect_err(|status| session::count_refusal(parts, None, status))?;
        let session = Session::new(
            Arc::clone(parts),
            request.into_inner(),
            badge,
            place,
            self.shutdown.clone(),
        );
        let mut answer = Response::new(session.acks().boxed());
        let history = self.parts.store.history();
        answer.metadata_mut().insert(HISTORY_ID, history.clone());
        Ok(answer)
    }
}
