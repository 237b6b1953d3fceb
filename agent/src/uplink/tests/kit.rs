//! An agent's uplinks to aggregators, without anything that measures.

use std::{collections::BTreeSet, path::Path, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{AgentInstance, Heartbeat};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::aggregator::Aggregator;
use crate::{
    config::Config,
    journal::{BatchLimits, Journal},
    moment::Moment,
    observe::Observation,
    uplink::{Aggregators, Uplinks},
    wire,
};

pub(super) fn given(aggregators: &[(&str, &Aggregator)]) -> Aggregators {
    let named = aggregators.iter();
    Aggregators::given(named.map(|(name, aggregator)| ((*name).to_owned(), aggregator.channel())))
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
        Self::with(journal, clock, given(aggregators))
    }

    /// Starts one with a spool in this directory.
    pub(super) async fn on_disk(
        directory: &Path,
        clock: &Clock,
        aggregators: &[(&str, &Aggregator)],
    ) -> Self {
        let agent = AgentInstance {
            boot_id: "boot".into(),
            start_monotonic: Some(wire::duration(Moment::now(clock).monotonic)),
            ..AgentInstance::default()
        };
        let directory = Some(directory.to_owned());
        let journal = Journal::open(directory, 1 << 20, &agent, clock.clone())
            .await
            .unwrap();
        Self::of(
            journal,
            agent,
            &Config::new("a"),
            clock.clone(),
            given(aggregators),
        )
    }

    /// Starts one that shows the token in this file.
    pub(super) fn showing(token: &Path, aggregators: &[(&str, &Aggregator)]) -> Self {
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let journal = Journal::for_test(&clock);
        let config = Config {
            aggregator_token: Some(token.to_owned()),
            ..Config::new("a")
        };
        let agent = AgentInstance::default();
        Self::of(journal, agent, &config, clock, given(aggregators))
    }

    /// Starts one with this journal.
    pub(super) fn with(journal: Journal, clock: Clock, aggregators: Aggregators) -> Self {
        Self::of(
            journal,
            AgentInstance::default(),
            &Config::new("a"),
            clock,
            aggregators,
        )
    }

    fn of(
        journal: Journal,
        agent: AgentInstance,
        config: &Config,
        clock: Clock,
        aggregators: Aggregators,
    ) -> Self {
        let journal = Arc::new(journal);
        let uplinks = Uplinks::new(
            config,
            agent,
            aggregators,
            Arc::clone(&journal),
            clock.clone(),
        );
        let uplinks = uplinks.unwrap();
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
        // Whether anybody can be reached or not.
        self.journal.keep_now();
    }

    pub(super) async fn sleep(&self, seconds: f64) {
        self.clock.sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Numbers of the heartbeats that a replica would be sent if it connected now.
    pub(super) fn waiting_for(&self, replica: &str) -> BTreeSet<u64> {
        let mut reader = self.journal.connect(replica).unwrap();
        let limits = BatchLimits {
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
