//! An aggregator in memory, or behind a socket, that does as it is told.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{Stream, StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use nodegrace_proto::{
    HISTORY_ID,
    v1::{
        Rejection, ReportAck, ReportBatch,
        ingest_server::{Ingest, IngestServer},
    },
};
use tokio::{
    io::DuplexStream,
    net::TcpListener,
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    metadata::MetadataValue,
    transport::{Channel, Endpoint, Server},
};
use tower::service_fn;

/// What the aggregator does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Keeps it and says so.
    Acknowledge,
    /// Keeps it and says so a second later.
    AcknowledgeLater,
    /// Refuses its first record and acknowledges the rest.
    Reject,
    /// Says nothing.
    Ignore,
    /// Breaks the stream.
    Break,
    /// Says that it makes no sense.
    Refuse,
    /// Breaks the stream when a batch has more records than this, and else acknowledges it.
    AtMost(usize),
}

/// An aggregator: cheap to clone, the same for every clone.
#[derive(Clone)]
pub(crate) struct Aggregator {
    channel: Channel,
    shared: Arc<Shared>,
}

/// What is shared with the aggregator's handlers.
#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    /// The id of its history. Absent: it is of a version without.
    history: Mutex<Option<&'static str>>,
    batches: Mutex<Vec<ReportBatch>>,
    streams: Mutex<u32>,
    /// What each stream showed. Absent: nothing.
    shown: Mutex<Vec<Option<String>>>,
}

impl Shared {
    fn of(manner: Manner) -> Arc<Self> {
        Arc::new(Self {
            manner: Mutex::new(manner),
            history: Mutex::default(),
            batches: Mutex::default(),
            streams: Mutex::default(),
            shown: Mutex::default(),
        })
    }
}

impl Aggregator {
    /// Starts one of this manner.
    pub(crate) fn start(manner: Manner) -> Self {
        let shared = Shared::of(manner);
        let (connect, connections) = mpsc::unbounded_channel::<io::Result<DuplexStream>>();
        tokio::spawn(
            Server::builder()
                .add_service(IngestServer::new(Handler(Arc::clone(&shared))))
                .serve_with_incoming(UnboundedReceiverStream::new(connections)),
        );
        let channel = channel(move || {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            connect.send(Ok(theirs)).map_err(io::Error::other)?;
            Ok(ours)
        });
        Self { channel, shared }
    }

    /// Starts one of this manner behind a real socket. Its channel leads nowhere: it is found by its address.
    pub(crate) fn over(listener: TcpListener, manner: Manner) -> Self {
        let aggregator = Self {
            channel: channel(|| Err(io::ErrorKind::ConnectionRefused.into())),
            shared: Shared::of(manner),
        };
        let handler = Handler(Arc::clone(&aggregator.shared));
        tokio::spawn(
            Server::builder()
                .add_service(IngestServer::new(handler))
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        aggregator
    }

    /// One that cannot be reached.
    pub(crate) fn nowhere() -> Self {
        Self {
            channel: channel(|| Err(io::ErrorKind::ConnectionRefused.into())),
            shared: Shared::of(Manner::Ignore),
        }
    }

    /// From now on it does this.
    pub(crate) fn become_one_to(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// From the next stream on it is another one at the same address, with this history.
    pub(crate) fn keep_history(&self, id: Option<&'static str>) {
        *self.shared.history.lock().unwrap() = id;
        self.shared.batches.lock().unwrap().clear();
    }

    /// A channel to it, which all its clones share.
    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Every batch it received.
    pub(crate) fn batches(&self) -> Vec<ReportBatch> {
        self.shared.batches.lock().unwrap().clone()
    }

    /// Numbers of the heartbeats it received, in order.
    pub(crate) fn received(&self) -> Vec<u64> {
        self.batches()
            .iter()
            .flat_map(|batch| &batch.heartbeats)
            .map(|beat| beat.sequence_number)
            .collect()
    }

    /// Streams that were opened to it.
    pub(crate) fn streams(&self) -> u32 {
        *self.shared.streams.lock().unwrap()
    }

    /// The Authorization headers of the streams. Absent: a stream had none.
    pub(crate) fn shown(&self) -> Vec<Option<String>> {
        self.shared.shown.lock().unwrap().clone()
    }
}

fn channel(connect: impl Fn() -> io::Result<DuplexStream> + Clone + Send + 'static) -> Channel {
    Endpoint::from_static("http://aggregator").connect_with_connector_lazy(service_fn(move |_| {
        let connection = connect();
        async move { connection.map(TokioIo::new) }
    }))
}

struct Handler(Arc<Shared>);

#[tonic::async_trait]
impl Ingest for Handler {
    type ReportStream = std::pin::Pin<Box<dyn Stream<Item = Result<ReportAck, Status>> + Send>>;

    async fn report(
        &self,
        request: Request<Streaming<ReportBatch>>,
    ) -> Result<Response<Self::ReportStream>, Status> {
        *self.0.streams.lock().unwrap() += 1;
        let shown = request.metadata().get("authorization");
        let shown = shown.map(|value| value.to_str().unwrap().to_owned());
        self.0.shown.lock().unwrap().push(shown);
        let shared = Arc::clone(&self.0);
        let acks = request.into_inner().flat_map(move |batch| {
            let later = *shared.manner.lock().unwrap() == Manner::AcknowledgeLater;
            let at = Instant::now() + Duration::from_secs(u64::from(later));
            let answer = match batch.map(|batch| take(&shared, batch)) {
                Ok(answer) => answer,
                Err(status) => Some(Err(status)),
            };
            stream::once(sleep_until(at)).flat_map(move |()| stream::iter(answer.clone()))
        });
        let mut answer = Response::new(acks.boxed());
        if let Some(history) = *self.0.history.lock().unwrap() {
            let history = MetadataValue::from_static(history);
            answer.metadata_mut().insert(HISTORY_ID, history);
        }
        Ok(answer)
    }
}

fn take(shared: &Shared, batch: ReportBatch) -> Option<Result<ReportAck, Status>> {
    let first = batch.first_sequence_number;
    let records = numbers(&batch).count();
    let newest = numbers(&batch).max().unwrap_or_default();
    shared.batches.lock().unwrap().push(batch);
    let manner = *shared.manner.lock().unwrap();
    let rejections = match manner {
        Manner::Ignore => return None,
        Manner::Break => return Some(Err(Status::unavailable("shutting down"))),
        Manner::Refuse => return Some(Err(Status::invalid_argument("node_name: must be set"))),
        Manner::AtMost(most) if records > most => {
            return Some(Err(Status::resource_exhausted("too many records")));
        }
        Manner::Acknowledge | Manner::AcknowledgeLater | Manner::AtMost(_) => Vec::new(),
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

/// Numbers of every record of a batch.
fn numbers(batch: &ReportBatch) -> impl Iterator<Item = u64> {
    let vital = batch.heartbeats.iter().map(|beat| beat.sequence_number);
    let spells = batch.blind_spells.iter().map(|spell| spell.sequence_number);
    let changes = batch
        .ready_changes
        .iter()
        .map(|change| change.sequence_number);
    let samples = batch.samples.iter().map(|sample| sample.sequence_number);
    vital.chain(spells).chain(changes).chain(samples)
}
