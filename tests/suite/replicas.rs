//! Aggregators side by side: whichever is asked, the answer is the same; one that was down catches up, and one that forgot or
//! came late says since when it knows everything.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use nodegrace_aggregator::{Config, StoreConfig};
use nodegrace_proto::v1;
use nodegrace_sim::{System, SystemSpec};
use nodegrace_sim_cluster::kubelet::Kind;
use nodegrace_tests::{
    question,
    virtual_time::{minutes, nodes, seconds, spec, start, start_agents, stop_agents},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::{Code, Status, transport::Channel};

/// Nodes with usual and long gaps, flips, and stamps of a clock that is stepped.
const KINDS: [Kind; 6] = [
    Kind::Healthy,
    Kind::Overloaded,
    Kind::CpuStarved,
    Kind::FlakyConnection,
    Kind::ClockStep,
    Kind::RestartedKubelet,
];

/// Two aggregators in memory, and agents whose spools are in `directory`.
fn two_replicas(directory: &TempDir, seed: u64) -> SystemSpec {
    let mut spec = spec(nodes(&KINDS, seed), seed);
    spec.aggregators.push(spec.aggregators[0].clone());
    spec.spools = Some(directory.path().join("spools"));
    spec
}

fn on_disk(config: &mut Config, directory: &Path) {
    config.store = Some(StoreConfig::new(directory));
}

/// A directory in memory where that is to be had: what is tested here is not the disk.
fn directory() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .expect("a directory")
}

/// Somebody who asks everything every second, of the aggregator that answered last and, when that one is not there, of the next:
/// what any client of the Service does. A question that nobody answers ends the test, and so does a node whose heartbeats become
/// fewer.
struct Asker {
    asking: JoinHandle<()>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    answers: AtomicU64,
    /// Times that the next one had to be asked.
    turns: AtomicU64,
}

impl Asker {
    fn of(system: &System) -> Self {
        let aggregators = [system.queries_to(0), system.queries_to(1)];
        let (clock, counts) = (system.clock().clone(), Arc::<Counts>::default());
        let counted = Arc::clone(&counts);
        let asking = tokio::spawn(async move {
            let (mut asked, mut known) = (0, BTreeMap::new());
            loop {
                clock.sleep(Duration::from_secs(1)).await;
                let nodes = match everything(&aggregators[asked]).await {
                    Ok(nodes) => nodes,
                    Err(status) => {
                        // The second is what a question hears whose connection breaks under it.
                        let gone = [Code::Unavailable, Code::Cancelled];
                        assert!(gone.contains(&status.code()), "{status}");
                        counted.turns.fetch_add(1, Ordering::Relaxed);
                        asked = (asked + 1) % aggregators.len();
                        everything(&aggregators[asked])
                            .await
                            .expect("one of them is there")
                    }
                };
                for (name, heartbeats) in nodes {
                    let before = known.insert(name.clone(), heartbeats).unwrap_or(0);
                    assert!(heartbeats >= before, "{name}: {heartbeats} after {before}");
                }
                counted.answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { asking, counts }
    }

    /// Ends it; gives how many answers it got, and how often it had to ask the next one.
    async fn ended(self) -> (u64, u64) {
        self.asking.abort();
        let end = self.asking.await.expect_err("it asks for ever");
        assert!(end.is_cancelled(), "{end}");
        let Counts { answers, turns } = &*self.counts;
        (
            answers.load(Ordering::Relaxed),
            turns.load(Ordering::Relaxed),
        )
    }
}

/// Asks everything of an aggregator; gives the heartbeats of each node.
async fn everything(aggregator: &Channel) -> Result<Vec<(String, u64)>, Status> {
    question::ask_gaps(aggregator.clone()).await?;
    question::ask_fleet(aggregator.clone()).await?;
    let nodes = question::ask_nodes(aggregator.clone()).await?;
    let heartbeats = nodes.into_iter().map(|node| {
        let channels = node.channels.iter().map(|channel| channel.heartbeats);
        (node.name.clone(), channels.sum())
    });
    Ok(heartbeats.collect())
}

async fn lasting(system: &System, number: usize) -> Vec<v1::Node> {
    let nodes = question::nodes(system.queries_to(number)).await;
    let lasting = nodes.into_iter().map(question::lasting);
    // Causes rest on samples, which go before heartbeats where there is no room: each replica has its own.
    lasting
        .map(|node| v1::Node {
            causes: Vec::new(),
            habits: Vec::new(),
            ..node
        })
        .collect()
}

/// The long gaps that an aggregator knows, as they were measured.
async fn measured_gaps(aggregator: Channel) -> Vec<v1::Gap> {
    let gaps = question::gaps(aggregator).await.into_iter();
    gaps.map(|gap| v1::Gap {
        lateness: None,
        vantage: v1::Vantage::Unspecified.into(),
        late_channels: Vec::new(),
        causes: Vec::new(),
        ..gap
    })
    .collect()
}

async fn history(system: &System, number: usize) -> v1::History {
    let fleet = question::fleet(system.queries_to(number)).await;
    fleet.history.expect("it is always there")
}

/// Asserts that two aggregators answer the same to the digit: on gaps, flips, counts and quantiles of every node.
async fn assert_agreement(system: &System) {
    assert_eq!(lasting(system, 0).await, lasting(system, 1).await);
    let (first, second) = (system.queries_to(0), system.queries_to(1));
    let gaps = measured_gaps(first.clone()).await;
    assert!(!gaps.is_empty());
    assert_eq!(gaps, measured_gaps(second.clone()).await);
    let (first, second) = (question::fleet(first).await, question::fleet(second).await);
    assert!(first.flips_seen > 0, "flips are part of the agreement");
    assert_eq!(first.expected_flips, second.expected_flips);
    assert_eq!(
        (first.heartbeats, first.flips_seen, first.gap),
        (second.heartbeats, second.flips_seen, second.gap)
    );
}

#[tokio::test(start_paused = true)]
async fn a_replica_with_a_disk_that_was_down_catches_up_and_agrees_to_the_digit() {
    let directory = directory();
    let mut spec = two_replicas(&directory, 1);
    on_disk(&mut spec.aggregators[1], &directory.path().join("history"));
    let mut system = start(spec);
    let asker = Asker::of(&system);

    minutes(&system, 15).await;
    system.crash_aggregator(1).await;
    minutes(&system, 12).await;
    system.start_aggregator(1).expect("it starts again");
    minutes(&system, 13).await;
    system.crash_aggregator(1).await;
    minutes(&system, 2).await;
    // As a pod that is made anew: whoever reports there takes it for one that knows nothing.
    system.move_aggregator(1).expect("there are addresses");
    system.start_aggregator(1).expect("it starts again");
    minutes(&system, 18).await;

    let (answers, _) = asker.ended().await;
    assert!(answers >= 3590, "{answers} answers in an hour");
    stop_agents(&mut system).await;
    assert_agreement(&system).await;
    let (first, second) = (history(&system, 0).await, history(&system, 1).await);
    assert_eq!((first.forgotten_records, second.forgotten_records), (0, 0));
    assert_eq!(first.complete_since_time, second.complete_since_time);
    system.stop().await.expect("everything stops");
}

/// Heartbeats, flips and gaps of each node.
async fn counts(system: &System, number: usize) -> Vec<(u64, u64, u64)> {
    let nodes = question::nodes(system.queries_to(number)).await;
    let counts = nodes.into_iter().map(|node| {
        let heartbeats = node.channels.iter().map(|channel| channel.heartbeats).sum();
        let gaps = node.gap.map_or(0, |gap| gap.count);
        (heartbeats, node.flips_seen, gaps)
    });
    counts.collect()
}

/// The longest gaps that an aggregator knows of those that began after `time`. Of the others each keeps only as many as it has
/// room for beside these.
async fn gaps_after(system: &System, number: usize, time: SystemTime) -> Vec<v1::Gap> {
    let mut gaps = measured_gaps(system.queries_to(number)).await;
    let long = |gap: &v1::Gap| gap.duration.is_some_and(|duration| duration.seconds >= 30);
    gaps.retain(|gap| long(gap) && began(gap) > time);
    gaps
}

fn began(gap: &v1::Gap) -> SystemTime {
    wall(gap.start_time)
}

fn wall(time: Option<prost_types::Timestamp>) -> SystemTime {
    let time = time.expect("there is one");
    SystemTime::try_from(time).expect("it is no year before the first")
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_forgot_gets_what_the_spools_still_hold_and_says_since_when_that_is() {
    let directory = directory();
    let mut system = start(two_replicas(&directory, 2));
    minutes(&system, 15).await;
    // What every replica has of an earlier run of the agent, no spool holds any more.
    stop_agents(&mut system).await;
    let (rolled_out, before) = (system.clock().wall(), counts(&system, 0).await);
    assert_eq!(counts(&system, 1).await, before);
    start_agents(&mut system);
    minutes(&system, 10).await;
    system.crash_aggregator(1).await;
    minutes(&system, 10).await;
    system.start_aggregator(1).expect("it starts again");
    minutes(&system, 20).await;

    stop_agents(&mut system).await;
    let history = history(&system, 1).await;
    assert!(!history.durable);
    let complete = wall(history.complete_since_time);
    let late = complete.duration_since(rolled_out).expect("after it");
    assert!(
        late < Duration::from_secs(60),
        "what both acknowledged before the kill is there, but for {late:?}"
    );
    let after = counts(&system, 1).await;
    for ((all, before), after) in counts(&system, 0).await.into_iter().zip(before).zip(after) {
        assert_eq!((after.0, after.1), (all.0 - before.0, all.1 - before.1));
    }
    let gaps = gaps_after(&system, 0, complete).await;
    assert!(gaps.len() > 10, "{} gaps say little", gaps.len());
    assert_eq!(gaps_after(&system, 1, complete).await, gaps);
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_joins_late_has_what_the_spools_still_hold_and_says_since_when_that_is() {
    let directory = directory();
    let mut spec = two_replicas(&directory, 3);
    let late = spec.aggregators.pop().expect("there are two");
    let mut system = start(spec);
    minutes(&system, 15).await;
    // What every known replica has of an earlier run of the agent, no spool holds any more.
    stop_agents(&mut system).await;
    let (rolled_out, before) = (system.clock().wall(), counts(&system, 0).await);
    start_agents(&mut system);
    minutes(&system, 20).await;
    let joined = system.clock().wall();
    system.add_aggregator(late).expect("it starts");
    minutes(&system, 15).await;

    stop_agents(&mut system).await;
    let complete = wall(history(&system, 1).await.complete_since_time);
    assert!(
        (rolled_out..joined - Duration::from_secs(19 * 60)).contains(&complete),
        "complete since {complete:?}, agents new at {rolled_out:?}, joined at {joined:?}"
    );
    let late = counts(&system, 1).await;
    for ((all, before), late) in counts(&system, 0).await.into_iter().zip(before).zip(late) {
        assert_eq!((late.0, late.1), (all.0 - before.0, all.1 - before.1));
    }
    let gaps = gaps_after(&system, 0, complete).await;
    assert!(gaps.len() > 10, "{} gaps say little", gaps.len());
    assert_eq!(gaps_after(&system, 1, complete).await, gaps);
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn while_every_replica_is_down_nothing_is_lost_and_an_agent_finds_them_again() {
    let directory = directory();
    let mut spec = two_replicas(&directory, 4);
    on_disk(&mut spec.aggregators[0], &directory.path().join("first"));
    on_disk(&mut spec.aggregators[1], &directory.path().join("second"));
    let mut system = start(spec);
    minutes(&system, 10).await;
    for number in [0, 1] {
        system.crash_aggregator(number).await;
    }
    minutes(&system, 20).await;
    for number in [1, 0] {
        system.start_aggregator(number).expect("it starts again");
        minutes(&system, 5).await;
    }
    seconds(&system, 60).await;
    stop_agents(&mut system).await;
    assert_agreement(&system).await;
    assert_eq!(history(&system, 0).await.forgotten_records, 0);
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn replicas_that_come_back_with_each_others_addresses_miss_nothing() {
    let directory = directory();
    let mut spec = two_replicas(&directory, 5);
    on_disk(&mut spec.aggregators[0], &directory.path().join("first"));
    on_disk(&mut spec.aggregators[1], &directory.path().join("second"));
    let mut system = start(spec);
    minutes(&system, 10).await;
    system.crash_aggregator(0).await;
    // What only the second one has is acknowledged at the address that the first one gets.
    minutes(&system, 10).await;
    system.crash_aggregator(1).await;
    system.swap_aggregators(0, 1).expect("both are down");
    for number in [0, 1] {
        system.start_aggregator(number).expect("it starts again");
    }
    minutes(&system, 10).await;
    stop_agents(&mut system).await;
    assert_agreement(&system).await;
    for number in [0, 1] {
        assert_eq!(history(&system, number).await.forgotten_records, 0);
    }
    system.stop().await.expect("everything stops");
}

#[tokio::test(start_paused = true)]
async fn whichever_replica_is_killed_every_question_is_answered_and_both_agree_in_the_end() {
    let directory = directory();
    let mut spec = two_replicas(&directory, 6);
    on_disk(&mut spec.aggregators[0], &directory.path().join("first"));
    on_disk(&mut spec.aggregators[1], &directory.path().join("second"));
    let mut system = start(spec);
    minutes(&system, 5).await;
    let asker = Asker::of(&system);
    for number in [0, 1, 0] {
        minutes(&system, 5).await;
        system.crash_aggregator(number).await;
        minutes(&system, 5).await;
        system.start_aggregator(number).expect("it starts again");
    }
    minutes(&system, 5).await;

    let (answers, turns) = asker.ended().await;
    assert_eq!(
        turns, 3,
        "the one that was killed is the one that was asked"
    );
    assert!(answers >= 2095, "{answers} answers in 35 minutes");
    stop_agents(&mut system).await;
    assert_agreement(&system).await;
    system.stop().await.expect("everything stops");
}
