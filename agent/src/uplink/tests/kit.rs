//! An aggregator in memory that does as it is told, and an uplink to it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{
    AgentInstance, Heartbeat, Rejection, ReportAck, ReportBatch,
    ingest_server::{Ingest, IngestServer},
};
use tokio::{io::DuplexStream, sync::mpsc, task::JoinHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server},
};
use tower::service_fn;

use crate::{config::Config, journal::Journal, observe::Observation, uplink::Uplink};

/// What the aggregator does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Keeps it and says so.
    Acknowledge,
    /// Refuses its first record and acknowledges the rest.
    Reject,
    /// Says nothing.
    Ignore,
    /// Breaks the stream.
    Break,
}

/// What is shared with the aggregator's handlers.
#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    batches: Mutex<Vec<ReportBatch>>,
    streams: Mutex<u32>,
}

/// An uplink and the aggregator it leads to.
pub(super) struct Line {
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    sealed: CancellationToken,
    shared: Arc<Shared>,
    delivering: JoinHandle<()>,
}

impl Line {
    /// Starts an aggregator of this manner and an uplink to it.
    pub(super) fn to_aggregator(manner: Manner) -> Self {
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            batches: Mutex::default(),
            streams: Mutex::default(),
        });
        let (connect, connections) = mpsc::unbounded_channel::<io::Result<DuplexStream>>();
        let ingest = IngestServer::new(Aggregator(Arc::clone(&shared)));
        let connections = UnboundedReceiverStream::new(connections);
        tokio::spawn(
            Server::builder()
                .add_service(ingest)
                .serve_with_incoming(connections),
        );
        Self::start(shared, move || {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            connect.send(Ok(theirs)).map_err(io::Error::other)?;
            Ok(ours)
        })
    }

    /// Starts an uplink to an aggregator that cannot be reached.
    pub(super) fn to_nowhere() -> Self {
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Ignore),
            batches: Mutex::default(),
            streams: Mutex::default(),
        });
        Self::start(shared, || Err(io::ErrorKind::ConnectionRefused.into()))
    }

    fn start(
        shared: Arc<Shared>,
        connect: impl Fn() -> io::Result<DuplexStream> + Clone + Send + 'static,
    ) -> Self {
        let channel = Endpoint::from_static("http://aggregator").connect_with_connector_lazy(
            service_fn(move |_| {
                let connection = connect();
                async move { connection.map(TokioIo::new) }
            }),
        );
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let journal = Arc::new(Journal::new(1 << 20));
        let uplink = Uplink::new(
            &Config::new("a"),
            AgentInstance::default(),
            channel,
            Arc::clone(&journal),
            clock.clone(),
        );
        let sealed = CancellationToken::new();
        Self {
            delivering: tokio::spawn(uplink.deliver(sealed.clone())),
            journal,
            clock,
            sealed,
            shared,
        }
    }

    /// Writes a heartbeat into the journal.
    pub(super) fn beat(&self) {
        self.journal
            .learn(vec![Observation::Heartbeat(Heartbeat::default())]);
    }

    /// From now on the aggregator does this.
    pub(super) fn become_one_to(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    pub(super) async fn sleep(&self, seconds: f64) {
        self.clock.sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Every batch the aggregator received.
    pub(super) fn batches(&self) -> Vec<ReportBatch> {
        self.shared.batches.lock().unwrap().clone()
    }

    /// Numbers of the heartbeats that the aggregator received, in order.
    pub(super) fn received(&self) -> Vec<u64> {
        self.batches()
            .iter()
            .flat_map(|batch| &batch.heartbeats)
            .map(|beat| beat.sequence_number)
            .collect()
    }

    /// Streams that were opened.
    pub(super) fn streams(&self) -> u32 {
        *self.shared.streams.lock().unwrap()
    }

    /// Seals the journal and waits for the uplink. Returns how many seconds that took.
    pub(super) async fn drain(&mut self) -> f64 {
        let start = self.clock.now();
        self.sealed.cancel();
        (&mut self.delivering).await.unwrap();
        (self.clock.now() - start).as_secs_f64()
    }
}

struct Aggregator(Arc<Shared>);

#[tonic::async_trait]
impl Ingest for Aggregator {
    type ReportStream = std::pin::Pin<Box<dyn Stream<Item = Result<ReportAck, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        *self.0.streams.lock().unwrap() += 1;
        let shared = Arc::clone(&self.0);
        let acks = request.into_inner().flat_map(move |batch| {
            let answer = batch.map(|batch| take(&shared, batch));
            stream::iter(match answer {
                Ok(answer) => answer,
                Err(status) => Some(Err(status)),
            })
        });
        Ok(Response::new(acks.boxed()))
    }
}

fn take(shared: &Shared, batch: ReportBatch) -> Option<Result<ReportAck, Status>> {
    let first = batch.first_sequence_number;
    let newest = batch
        .heartbeats
        .last()
        .map_or(0, |beat| beat.sequence_number);
    shared.batches.lock().unwrap().push(batch);
    let manner = *shared.manner.lock().unwrap();
    let rejections = match manner {
        Manner::Ignore => return None,
        Manner::Break => return Some(Err(Status::unavailable("shutting down"))),
        Manner::Acknowledge => Vec::new(),
        Manner::Reject => vec![Rejection {
            sequence_number: first,
            field: "heartbeats[0].channel".into(),
            reason: "must be set".into(),
        }],
    };
    Some(Ok(ReportAck {
        sequence_number: newest,
        durable: false,
        rejections,
    }))
}
