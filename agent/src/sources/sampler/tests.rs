//! A sampler on a node whose heartbeats come in time, late or unseen, in virtual time.

use nodegrace_proto::v1::{Channel, Latency, RuntimeCall, Visibility};
use tokio::task::JoinSet;

use super::*;
use crate::{config::FineAfter, journal::BatchLimits};

/// A node that is sampled, and whose heartbeats came every 10 s so far.
struct Node {
    clock: Clock,
    journal: Arc<Journal>,
    rhythm: watch::Sender<Rhythm>,
    /// When the last heartbeat came.
    last: Duration,
    _sampling: JoinSet<()>,
    _root: tempfile::TempDir,
}

impl Node {
    async fn start(fine_after: FineAfter) -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::new("a");
        config.proc_root = root.path().into();
        config.sys_root = root.path().into();
        config.fine_after = fine_after;
        let clock = Clock::scaled(1.0, std::time::UNIX_EPOCH);
        let journal = Arc::new(Journal::for_test(&clock));
        let rhythm = watch::Sender::new(Rhythm::default());
        let sampler = Sampler::new(
            &config,
            clock.clone(),
            Arc::clone(&journal),
            rhythm.subscribe(),
            &RuntimeSocket::new(&config, clock.clone()),
            &KubeletServer::new(None, &config, clock.clone(), Arc::clone(&journal)),
        );
        let mut sampling = JoinSet::new();
        sampling.spawn(sampler.sample(CancellationToken::new()));
        let mut node = Self {
            last: clock.now(),
            clock,
            journal,
            rhythm,
            _sampling: sampling,
            _root: root,
        };
        node.see(Visibility::Observed);
        for _ in 0..12 {
            node.beat_after(10.0).await;
        }
        node
    }

    /// What the agent sees of both channels.
    fn see(&self, visibility: Visibility) {
        for channel in [Channel::Lease, Channel::NodeStatus] {
            self.rhythm
                .send_if_modified(|rhythm| rhythm.see(channel, visibility));
        }
    }

    /// Lets a heartbeat come so many seconds after the last one.
    async fn beat_after(&mut self, seconds: f64) {
        self.wait_until(seconds).await;
        self.last = self.clock.now();
        self.rhythm.send_modify(|rhythm| {
            rhythm.beat(self.last, true);
        });
    }

    /// Waits until so many seconds after the last heartbeat.
    async fn wait_until(&self, seconds: f64) {
        let moment = self.last + Duration::from_secs_f64(seconds);
        self.clock.sleep_until(moment).await;
    }

    /// Every sample so far.
    fn samples(&self) -> Vec<Sample> {
        let limits = BatchLimits {
            records: 10_000,
            bytes: 10 << 20,
        };
        let mut reader = self.journal.connect("a").unwrap();
        self.journal.next_batch(&mut reader, limits).samples
    }

    fn fine_samples(&self) -> Vec<Sample> {
        let samples = self.samples().into_iter();
        samples.filter(|sample| sample.fine).collect()
    }

    /// When the fine samples were taken, in tenths of seconds after `since`.
    fn fine_since(&self, since: Duration) -> Vec<u64> {
        let taken = self.fine_samples().into_iter().map(|sample| {
            let at = Duration::try_from(sample.sample_monotonic.unwrap()).unwrap();
            ((at - since).as_secs_f64() * 10.0).round() as u64
        });
        taken.collect()
    }
}

fn every_second(from: u64, to: u64) -> Vec<u64> {
    (from..=to).step_by(10).collect()
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_come_as_usual_or_soon_after_call_for_no_fine_sample() {
    let mut node = Node::start(FineAfter::Auto).await;
    for gap in [10.0, 14.8, 10.0, 12.0, 2.0] {
        node.beat_after(gap).await;
    }
    node.wait_until(5.0).await;
    assert_eq!(node.fine_samples(), []);
}

#[tokio::test(start_paused = true)]
async fn a_late_heartbeat_is_awaited_with_a_sample_every_second_from_when_it_was_due() {
    let mut node = Node::start(FineAfter::Auto).await;
    let before = node.last;
    node.beat_after(20.0).await;
    node.wait_until(5.0).await;
    let mut expected = every_second(105, 195);
    expected.push(200);
    assert_eq!(node.fine_since(before), expected);
}

#[tokio::test(start_paused = true)]
async fn fine_samples_are_a_series_of_their_own_for_each_late_heartbeat() {
    let mut node = Node::start(FineAfter::Auto).await;
    node.beat_after(17.0).await;
    node.beat_after(16.0).await;
    node.wait_until(5.0).await;
    let seconds = |span: Option<_>| {
        span.map(|span| {
            Duration::try_from(span)
                .unwrap_or_default()
                .as_secs_f64()
                .round() as u64
        })
    };
    let fine: Vec<_> = node
        .fine_samples()
        .iter()
        .map(|sample| (seconds(sample.interval), seconds(sample.lateness)))
        .collect();
    let second = (Some(1), Some(0));
    let first_wait = [(None, None), second, second, second, second, second, second];
    let second_wait = [(None, None), second, second, second, second, second];
    // 0.5 s after the one before it, for a heartbeat that nobody planned.
    let closing = [(Some(1), None)];
    assert_eq!(
        fine,
        [&first_wait[..], &closing, &second_wait, &closing].concat()
    );
    let usual = node.samples().into_iter().filter(|sample| !sample.fine);
    let intervals: Vec<_> = usual.map(|sample| seconds(sample.interval)).collect();
    assert!(intervals.len() > 10);
    assert!(intervals[1..].iter().all(|interval| *interval == Some(10)));
}

#[tokio::test(start_paused = true)]
async fn fine_samples_hold_the_cheap_sources_alone() {
    let mut node = Node::start(FineAfter::Auto).await;
    node.beat_after(20.0).await;
    node.wait_until(5.0).await;
    for sample in node.samples() {
        let asks_others = sample.sources.iter().any(|report| {
            matches!(
                report.source(),
                Source::Runtime | Source::KubeletMetrics | Source::KubeletConfig
            )
        });
        assert_eq!(asks_others, !sample.fine);
    }
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_stays_silent_is_looked_at_ever_less() {
    let mut node = Node::start(FineAfter::Auto).await;
    let before = node.last;
    node.wait_until(3000.0).await;
    let taken = node.fine_since(before);
    assert_eq!(taken[..126], every_second(105, 1355));
    let slow: Vec<u64> = (1405..=6155).step_by(50).collect();
    assert_eq!(taken[126..], slow);
    node.beat_after(4000.0).await;
    node.wait_until(5.0).await;
    assert_eq!(node.fine_since(before)[taken.len()..], [40_000]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_see_heartbeats_takes_no_fine_samples() {
    let node = Node::start(FineAfter::Auto).await;
    node.wait_until(12.0).await;
    node.see(Visibility::Blind);
    node.wait_until(700.0).await;
    assert_eq!(node.fine_samples(), []);
    node.see(Visibility::Observed);
    node.wait_until(900.0).await;
    assert_eq!(node.fine_samples(), [], "it waited for too long by then");
}

#[tokio::test(start_paused = true)]
async fn sight_that_is_lost_ends_fine_samples_and_none_closes_them() {
    let node = Node::start(FineAfter::Auto).await;
    node.wait_until(17.0).await;
    node.see(Visibility::Blind);
    node.wait_until(40.0).await;
    assert_eq!(node.fine_since(node.last), every_second(105, 165));
    node.see(Visibility::Observed);
    node.wait_until(42.5).await;
    let again = node.fine_since(node.last).split_off(7);
    assert_eq!(again, [400, 410, 420]);
}

#[tokio::test(start_paused = true)]
async fn when_to_look_closer_can_be_said() {
    let mut node = Node::start(FineAfter::After(Duration::from_secs(25))).await;
    let before = node.last;
    node.beat_after(24.0).await;
    assert_eq!(node.fine_samples(), []);
    let sooner = node.last;
    node.beat_after(27.0).await;
    node.wait_until(1.0).await;
    let taken = node.fine_since(sooner);
    assert_eq!(taken[..], [&every_second(105, 265)[..], &[270]].concat());
    assert!(sooner > before);

    let mut node = Node::start(FineAfter::Off).await;
    node.beat_after(300.0).await;
    node.wait_until(1.0).await;
    assert_eq!(node.fine_samples(), []);
}

#[tokio::test(start_paused = true)]
async fn fine_samples_travel_in_few_batches_and_the_last_one_at_once() {
    let mut node = Node::start(FineAfter::Auto).await;
    let mut changes = node.journal.changes();
    node.wait_until(14.9).await;
    changes.mark_unchanged();
    // All but the one that is taken every 10 s, which takes the others with it.
    let mut batches = 0;
    let end = node.last + Duration::from_secs(55);
    while tokio::select! {
        journaled = changes.changed() => journaled.is_ok(),
        () = node.clock.sleep_until(end) => false,
    } {
        batches += 1;
    }
    assert_eq!(node.fine_samples().len(), 45);
    assert_eq!(batches, 8 + 4, "every 5 s and every 10 s");
    let before = node.fine_samples().len();
    node.beat_after(56.2).await;
    tokio::task::yield_now().await;
    assert!(changes.has_changed().unwrap());
    assert_eq!(node.fine_samples().len(), before + 2);
}

#[test]
fn a_reading_of_metrics_that_is_told_again_counts_nothing_twice() {
    let metrics = KubeletMetrics {
        running_pods: Some(12),
        api_requests: Some(9),
        api_put: Some(Latency::default()),
        cpu_cores: Some(0.5),
        ..KubeletMetrics::default()
    };
    let expected = KubeletMetrics {
        running_pods: Some(12),
        told_before: true,
        ..KubeletMetrics::default()
    };
    assert_eq!(told_again(&metrics), expected);
}

#[test]
fn a_runtime_that_answered_nothing_is_an_error_that_tells_how_long_it_took() {
    let call = RuntimeCall {
        method: "Version".into(),
        took: Some(wire::duration(Duration::from_secs(2))),
        error: "no answer within 2 s".into(),
    };
    let timed = Timed {
        reading: Ok(Runtime {
            calls: vec![call.clone()],
            ..Runtime::default()
        }),
        took: Some(Duration::from_secs(2)),
        told_before: false,
    };
    let mut sample = Sample::default();
    let runtime = note_partial(&mut sample, Source::Runtime, timed, answered).unwrap();
    assert_eq!(runtime.calls, [call]);
    assert_eq!(sample.sources[0].outcome(), Outcome::Error);
    assert_eq!(sample.sources[0].reason, "Version: no answer within 2 s");
}
