//! What the aggregator reads from outside and from disk, handed to it directly, for the fuzz targets.

use std::sync::Arc;

use nodegrace_clock::Clock;
use nodegrace_core::Applied;
use nodegrace_proto::v1::query_server::Query;
use tokio_util::sync::CancellationToken;

use crate::{
    Aggregator, Config, StartError,
    aggregator::Parts,
    ingest, query,
    register::OpenStream,
    store::{self, Kept},
};

/// An aggregator in memory without its servers.
#[derive(Debug)]
pub struct Unserved {
    parts: Arc<Parts>,
    queries: query::Service,
    streams: Vec<OpenStream>,
}

impl Unserved {
    /// One that knows nothing yet.
    ///
    /// # Errors
    /// As [`Aggregator::new`].
    pub fn new(clock: Clock) -> Result<Self, StartError> {
        let Aggregator { parts } = Aggregator::new(Config::default(), clock)?;
        Ok(Self {
            queries: query::Service::new(Arc::clone(&parts), CancellationToken::new()),
            parts,
            streams: Vec::new(),
        })
    }

    /// Takes a message of an agent's stream, the first one when it `opens` it. The stream stays open.
    ///
    /// # Errors
    /// When the message is refused as a whole.
    pub fn take(&mut self, wire: &[u8], opens: bool) -> anyhow::Result<Applied> {
        let batch = ingest::read_back(wire, opens, self.parts.timeline.now())?;
        let (kept, applied) = self.parts.register.take(&self.parts, batch);
        if let Kept::Applied(Some(stream)) = kept {
            self.streams.push(stream);
        }
        Ok(applied)
    }

    /// Ends every stream.
    pub fn disconnect(&mut self) {
        self.streams.clear();
    }

    /// What answers questions.
    pub const fn queries(&self) -> &impl Query {
        &self.queries
    }

    /// What a database keeps of a node. Absent: it is not known.
    pub fn snapshot(&self, node: &str) -> Option<Vec<u8>> {
        self.parts.register.node(node, store::fuzzing::save)
    }

    /// Puts a node back of what a database kept.
    ///
    /// # Errors
    /// When the bytes are no snapshot.
    pub fn restore(&self, node: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (history, beside) = store::fuzzing::load(node, bytes)?;
        self.parts.register.restore(history, beside);
        Ok(())
    }
}
