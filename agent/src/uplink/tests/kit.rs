//! Aggregators in memory that do as they are told, and an agent's uplinks to them.

use std::{
    collections::BTreeSet,
    io,
    path::Path,
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
    transport::{Channel, Endpoint, Server},
};
use tower::service_fn;

use crate::{
    config::Config,
    journal::Journal,
    moment::Moment,
    observe::Observation,
    uplink::{Aggregators, Uplinks},
    wire,
};

/// What the aggregator does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Keeps it and says so.
    Acknowledge,
    /// Refuses its first record and acknowledges the rest.
    Reject,
    /// Says nothing.
    Ignore,
    /// Breaks the stream.
    Break,
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
    batches: Mutex<Vec<ReportBatch>>,
    streams: Mutex<u32>,
}

impl Aggregator {
    /// Starts one of this manner.
    pub(crate) fn start(manner: Manner) -> Self {
        let shared = Arc::new(Shared {
            manner: Mutex::new(manner),
            batches: Mutex::default(),
            streams: Mutex::default(),
        });
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

    /// One that cannot be reached.
    pub(crate) fn nowhere() -> Self {
        let mut nowhere = Self::start(Manner::Ignore);
        nowhere.channel = channel(|| Err(io::ErrorKind::ConnectionRefused.into()));
        nowhere
    }

    /// From now on it does this.
    pub(crate) fn become_one_to(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
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
}

fn channel(connect: impl Fn() -> io::Result<DuplexStream> + Clone + Send + 'static) -> Channel {
    Endpoint::from_static("http://aggregator").connect_with_connector_lazy(service_fn(move |_| {
        let connection = connect();
        async move { connection.map(TokioIo::new) }
    }))
}

/// An agent with its uplinks, but without anything that measures.
pub(super) struct Agent {
    pub(super) journal: Arc<Journal>,
    pub(super) clock: Clock,
    sealed: CancellationToken,
    delivering: JoinHandle<()>,
}

impl Agent {
    /// Starts one that keeps its records in memory.
    pub(super) fn start(aggregators: &[(&str, &Aggregator)]) -> Self {
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let journal = Journal::for_test(&clock);
        Self::with(journal, AgentInstance::default(), clock, aggregators)
    }

    /// Starts one with a spool in this directory.
    pub(super) fn on_disk(
        directory: &Path,
        clock: &Clock,
        aggregators: &[(&str, &Aggregator)],
    ) -> Self {
        let agent = AgentInstance {
            boot_id: "boot".into(),
            start_monotonic: Some(wire::duration(Moment::now(clock).monotonic)),
            ..AgentInstance::default()
        };
        let journal = Journal::open(Some(directory), 1 << 20, &agent, clock.clone()).unwrap();
        Self::with(journal, agent, clock.clone(), aggregators)
    }

    fn with(
        journal: Journal,
        agent: AgentInstance,
        clock: Clock,
        aggregators: &[(&str, &Aggregator)],
    ) -> Self {
        let journal = Arc::new(journal);
        let given = aggregators
            .iter()
            .map(|(name, aggregator)| ((*name).to_owned(), aggregator.channel.clone()));
        let uplinks = Uplinks::new(
            &Config::new("a"),
            agent,
            Aggregators::given(given),
            Arc::clone(&journal),
            clock.clone(),
        );
        let sealed = CancellationToken::new();
        Self {
            delivering: tokio::spawn(uplinks.deliver(sealed.clone())),
            journal,
            clock,
            sealed,
        }
    }

    /// Writes a heartbeat into the journal.
    pub(super) fn beat(&self) {
        self.journal
            .learn(vec![Observation::Heartbeat(Heartbeat::default())]);
    }

    pub(super) async fn sleep(&self, seconds: f64) {
        self.clock.sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Numbers of the heartbeats that a replica would be sent if it connected now.
    pub(super) fn waiting_for(&self, replica: &str) -> BTreeSet<u64> {
        let mut reader = self.journal.connect(replica).unwrap();
        let limits = crate::journal::BatchLimits {
            records: usize::MAX,
            bytes: usize::MAX,
        };
        let batch = self.journal.next_batch(&mut reader, limits);
        batch
            .heartbeats
            .iter()
            .map(|beat| beat.sequence_number)
            .collect()
    }

    /// Seals the journal and waits for the uplinks. Returns how many seconds that took.
    pub(super) async fn drain(&mut self) -> f64 {
        let start = self.clock.now();
        self.sealed.cancel();
        (&mut self.delivering).await.unwrap();
        (self.clock.now() - start).as_secs_f64()
    }

    /// Ends without another word.
    pub(super) async fn crash(self) {
        self.delivering.abort();
        let _ = self.delivering.await;
        let journal = Arc::into_inner(self.journal);
        assert!(journal.is_some(), "nobody holds the spool any more");
    }
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
    let newest = numbers(&batch).max().unwrap_or_default();
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
