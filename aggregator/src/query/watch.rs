//! `WatchNodes`: every node that matches, then each change of one.
//!
//! A watch is driven by its reader: between two messages it keeps nothing but its place, and several changes of one node
//! become one message. So a slow reader costs no memory; it is cut off because what it would read is old.

use std::{
    collections::{HashSet, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use futures::{Stream, stream};
use nodegrace_proto::v1::{self, watch_nodes_response::Event};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    filter::Filter,
    list::invalid,
    node::{self, Shape},
};
use crate::{aggregator::Parts, places::Place, register::VISIT, wire};

/// Interval between two messages about one node unless asked otherwise.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest interval that may be asked for: each interval costs a look at all changes.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// How long a reader may take for one message. Real time: this is about the reader's network. Well above a hiccup, well below
/// the time after which a report counts as stale.
const PATIENCE: Duration = Duration::from_secs(20);

/// One client's watch.
pub(super) struct Watch {
    parts: Arc<Parts>,
    filter: Filter,
    shape: Shape,
    interval: Duration,
    shutdown: CancellationToken,
    phase: Phase,
    /// Messages of the chunk at hand: at most one for each node of it.
    pending: VecDeque<Event>,
    /// Names of the nodes that the client was told of and not told to forget.
    told: HashSet<Arc<str>>,
    /// Changes up to this one were looked at.
    seen: u64,
    /// Number of nodes that the register had forgotten when this was looked at last.
    forgotten: u64,
    /// When the last message was handed to the transport.
    handed: Option<Instant>,
    /// Its place among the watches that may be open.
    _place: Place<Option<IpAddr>>,
}

enum Phase {
    /// These nodes were there at the start and still have to be looked at.
    Initial(std::vec::IntoIter<Arc<str>>),
    /// Changes up to this one are looked at, then comes a pause.
    Changes(u64),
    Pause,
}

impl Watch {
    /// A watch that ends at `shutdown`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the field that is wrong.
    pub(super) fn new(
        parts: Arc<Parts>,
        request: &v1::WatchNodesRequest,
        place: Place<Option<IpAddr>>,
        shutdown: CancellationToken,
    ) -> Result<Self, Status> {
        let interval = match request.min_interval.map(wire::duration) {
            None => DEFAULT_INTERVAL,
            Some(Ok(interval)) if interval >= SHORTEST_INTERVAL => interval,
            Some(_) => {
                return Err(Status::invalid_argument(
                    "min_interval: must be at least 100 ms",
                ));
            }
        };
        // In this order: what changes from here on is looked at again.
        let seen = parts.register.last_change();
        let forgotten = parts.register.forgotten();
        let names = parts.register.names();
        Ok(Self {
            filter: Filter::parse(&request.filter).map_err(invalid)?,
            shape: Shape::of(request.view)?,
            interval,
            shutdown,
            phase: Phase::Initial(Vec::from(&*names).into_iter()),
            pending: VecDeque::new(),
            told: HashSet::new(),
            seen,
            forgotten,
            handed: None,
            parts,
            _place: place,
        })
    }

    /// The messages, and the error that ends them.
    pub(super) fn steps(self) -> impl Stream<Item = Result<v1::WatchNodesResponse, Status>> + Send {
        stream::unfold(Some(self), async |watch| {
            let mut watch = watch?;
            let step = watch.next().await;
            // An error is the last step.
            let rest = step.is_ok().then_some(watch);
            Some((step, rest))
        })
    }

    /// The next message.
    async fn next(&mut self) -> Result<v1::WatchNodesResponse, Status> {
        if self.shutdown.is_cancelled() {
            return Err(Status::unavailable("the aggregator stops"));
        }
        if self
            .handed
            .is_some_and(|handed| handed.elapsed() > PATIENCE)
        {
            return Err(Status::resource_exhausted("the watch was read too slowly"));
        }
        loop {
            if let Some(event) = self.pending.pop_front() {
                self.handed = Some(Instant::now());
                return Ok(v1::WatchNodesResponse { event: Some(event) });
            }
            match &mut self.phase {
                Phase::Initial(rest) => {
                    let chunk: Vec<_> = rest.by_ref().take(VISIT).collect();
                    if chunk.is_empty() {
                        self.pending.push_back(Event::Synced(true));
                        self.phase = Phase::Pause;
                    } else {
                        self.look_at(&chunk).await;
                    }
                }
                Phase::Changes(until) => {
                    let chunk = self.parts.register.changes(self.seen, *until);
                    match chunk.last() {
                        None => {
                            self.seen = *until;
                            self.phase = Phase::Pause;
                        }
                        Some((number, _)) => {
                            self.seen = *number;
                            let names: Vec<_> = chunk.into_iter().map(|(_, name)| name).collect();
                            self.look_at(&names).await;
                        }
                    }
                }
                Phase::Pause => {
                    tokio::select! {
                        biased;
                        () = self.shutdown.cancelled() => {
                            return Err(Status::unavailable("the aggregator stops"));
                        }
                        () = self.parts.clock.sleep(self.interval) => {}
                    }
                    self.drop_forgotten();
                    self.phase = Phase::Changes(self.parts.register.last_change());
                }
            }
        }
    }

    /// Looks at a chunk of nodes, makes the messages about them, and lets others work.
    async fn look_at(&mut self, names: &[Arc<str>]) {
        let register = &self.parts.register;
        let mut matching = HashSet::with_capacity(names.len());
        let now = self.parts.timeline.now();
        register.visit_chunk(names, |known| {
            let glance = known.glance();
            if self
                .filter
                .matches(&|field| node::value(&glance, field, now))
            {
                let figures = known.figures(now);
                let node = node::message(&figures, known.beside, &self.parts.timeline, self.shape);
                self.pending.push_back(Event::Node(node));
                matching.insert(figures.name.clone());
            }
        });
        for name in names.iter().filter(|name| !matching.contains(*name)) {
            if self.told.remove(name) {
                self.pending.push_back(Event::Removed(name.to_string()));
            }
        }
        self.told.extend(matching);
        tokio::task::yield_now().await;
    }

    /// Tells of the nodes that the register has forgotten, which is rare: silent for days.
    fn drop_forgotten(&mut self) {
        let register = &self.parts.register;
        let forgotten = register.forgotten();
        if forgotten != self.forgotten {
            self.forgotten = forgotten;
            let gone = self.told.extract_if(|name| !register.knows(name));
            self.pending
                .extend(gone.map(|name| Event::Removed(name.to_string())));
        }
    }
}
