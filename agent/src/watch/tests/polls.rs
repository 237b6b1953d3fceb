//! A Lease that may be got and not watched: how exactly its heartbeats are known, and what becomes of polls that fail.

use std::time::Duration;

use nodegrace_proto::{
    prost_types,
    v1::{BlindReason, Heartbeat, Visibility},
};

use super::kit::{Answer, Story, got, not_there, poll, status};

/// A kubelet that renews at these seconds, of which an API server has each so many seconds later.
#[derive(Clone)]
struct Kubelet {
    renewals: Vec<f64>,
    delay: f64,
}

impl Kubelet {
    /// One that renews every 10.2 s.
    fn usual(renewals: usize) -> Self {
        Self::at((0..renewals).map(|number| -3.0 + 10.2 * number as f64))
    }

    fn at(renewals: impl IntoIterator<Item = f64>) -> Self {
        Self {
            renewals: renewals.into_iter().collect(),
            delay: 0.005,
        }
    }

    fn delayed(self, delay: f64) -> Self {
        Self { delay, ..self }
    }

    /// What the API server has at `now`.
    fn lease(&self, now: f64) -> Answer {
        let had = |renewal: &&f64| **renewal + self.delay <= now;
        let version = self.renewals.iter().filter(had).count().max(1);
        got(version, self.renewals[version - 1])
    }

    /// The heartbeats that were told, each with when the API server had it.
    fn told<'a>(&self, story: &'a Story) -> Vec<(&'a Heartbeat, f64)> {
        let beats = story.batch.heartbeats.iter().filter(|beat| !beat.baseline);
        let version = |beat: &Heartbeat| beat.resource_version.parse::<usize>().unwrap();
        beats
            .map(|beat| (beat, self.renewals[version(beat) - 1] + self.delay))
            .collect()
    }
}

fn seconds(duration: Option<&prost_types::Duration>) -> f64 {
    let duration = duration.copied().unwrap_or_default();
    duration.seconds as f64 + f64::from(duration.nanos) / 1e9
}

/// Between when a heartbeat may have come, in seconds since the start.
fn bounds(beat: &Heartbeat) -> (f64, f64) {
    let seen = seconds(beat.arrival_monotonic.as_ref()) - 3600.0;
    (seen - seconds(beat.arrival_uncertainty.as_ref()), seen)
}

fn stamp(beat: &Heartbeat) -> f64 {
    let stamp = beat.stamp_time.unwrap();
    (stamp.seconds - 1_800_000_000) as f64 + f64::from(stamp.nanos) / 1e9
}

fn assert_contain_truth(kubelet: &Kubelet, story: &Story, most: f64) {
    let told = kubelet.told(story);
    for (beat, truth) in &told {
        let (earliest, latest) = bounds(beat);
        let contains = earliest - 0.002 <= *truth && *truth <= latest + 0.002;
        assert!(contains, "{truth} in {earliest} to {latest}");
        assert!(latest - earliest <= most, "{truth}: {earliest} to {latest}");
    }
    assert!(told.len() > 5, "{} heartbeats", told.len());
}

async fn polled(seconds: u64, kubelet: &Kubelet) -> Story {
    let server = kubelet.clone();
    poll(seconds, move |now, _| server.lease(now), async |_| {}).await
}

#[tokio::test(start_paused = true)]
async fn every_renewal_is_told_once_with_its_stamp_and_an_arrival_no_more_uncertain_than_a_poll() {
    let kubelet = Kubelet::usual(400);
    let story = polled(3600, &kubelet).await;
    let told = kubelet.told(&story);
    assert_eq!(told.len(), 353, "all but what was there before");
    assert_contain_truth(&kubelet, &story, 1.3);
    for pair in told.windows(2) {
        let period = stamp(pair[1].0) - stamp(pair[0].0);
        assert!((period - 10.2).abs() < 1e-5, "{period}");
    }
    assert_eq!(story.spells(), []);
}

#[tokio::test(start_paused = true)]
async fn an_hour_takes_some_two_thousand_requests_of_which_the_storage_answers_one() {
    let story = polled(3600, &Kubelet::usual(400)).await;
    let requests = story.requests.len();
    assert!((1800..2500).contains(&requests), "{requests}");
    let plain = |uri: &&String| !uri.contains("resourceVersion=");
    assert_eq!(story.requests.iter().filter(plain).count(), 1);
    let path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/a";
    assert!(story.requests.iter().all(|uri| uri.starts_with(path)));
}

#[tokio::test(start_paused = true)]
async fn the_truth_stays_within_the_bounds_where_a_slow_server_has_renewals_long_after_their_stamps()
 {
    for delay in [0.3, 1.7, 4.0] {
        let kubelet = Kubelet::usual(40).delayed(delay);
        let story = polled(300, &kubelet).await;
        assert_contain_truth(&kubelet, &story, 2.3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_renewal_is_told_as_late_as_it_was() {
    let kubelet = Kubelet::at([0.0, 10.0, 20.0, 65.0, 75.0, 85.0, 95.0, 105.0]);
    let story = polled(110, &kubelet).await;
    assert_contain_truth(&kubelet, &story, 1.3);
    let told = kubelet.told(&story);
    let (before, late) = (bounds(told[1].0), bounds(told[2].0));
    assert!(late.0 - before.1 < 45.0 && 45.0 < late.1 - before.0);
    assert_eq!(story.spells(), []);
    // A cache that says nothing for long is not believed.
    let plain = |uri: &&String| !uri.contains("resourceVersion=");
    let asked = story.requests.iter().filter(plain).count();
    assert!((3..=5).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn two_renewals_between_two_polls_are_one_heartbeat_and_no_long_gap() {
    // A kubelet that is started again renews at once.
    let kubelet = Kubelet::at([0.0, 10.0, 20.0, 30.0, 30.1, 40.1, 50.1, 60.1, 70.1]);
    let story = polled(75, &kubelet).await;
    assert_contain_truth(&kubelet, &story, 2.3);
    let gaps: Vec<_> = kubelet
        .told(&story)
        .windows(2)
        .map(|pair| bounds(pair[1].0).1 - bounds(pair[0].0).1)
        .collect();
    assert!(gaps.iter().all(|gap| *gap < 12.5), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_are_a_blind_spell_and_what_comes_after_it_is_in_doubt() {
    let kubelet = Kubelet::usual(20);
    let server = kubelet.clone();
    let story = poll(
        100,
        move |now, _| match now {
            25.0..52.0 => status(500, "etcdserver: no leader"),
            _ => server.lease(now),
        },
        async |_| {},
    )
    .await;
    let [(start, end, resumed)] = story.spells()[..] else {
        panic!("one spell: {:?}", story.spells())
    };
    assert!(
        (22..=25).contains(&start) && (52..=63).contains(&end),
        "{start} to {end}"
    );
    assert!(!resumed, "renewals were missed");
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::ServerError
    );
    let told = kubelet.told(&story);
    for (beat, truth) in told {
        let (earliest, latest) = bounds(beat);
        assert!(earliest <= truth && truth <= latest + 0.002, "{truth}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_asked_once_at_a_time_and_the_agent_is_blind() {
    let kubelet = Kubelet::usual(20);
    let server = kubelet.clone();
    let silent = 20.0..60.0;
    let story = poll(
        100,
        move |now, _| match now {
            now if silent.contains(&now) => Answer::Silence,
            _ => server.lease(now),
        },
        async |_| {},
    )
    .await;
    let (start, end, _) = story.spells()[0];
    assert!(
        (17..=20).contains(&start) && (60..=76).contains(&end),
        "{start} to {end}"
    );
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::Connection
    );
    // Each of 5 s, with pauses that grow in between.
    assert!(story.requests.len() < 75, "{}", story.requests.len());
}

#[tokio::test(start_paused = true)]
async fn a_restarted_server_that_knows_less_is_asked_anew() {
    let kubelet = Kubelet::usual(20);
    let server = kubelet.clone();
    let story = poll(
        60,
        move |now, uri| match now {
            20.0..23.0 => Answer::Refused,
            23.0..40.0 if uri.contains("resourceVersion=") => {
                status(504, "Timeout: Too large resource version: 3, current: 2")
            }
            _ => server.lease(now),
        },
        async |_| {},
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(kubelet.told(&story).len(), 6);
    assert!(story.spells().len() > 1);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lost_touch_leaves_in_doubt_what_it_kept_back() {
    let kubelet = Kubelet::usual(20);
    let server = kubelet.clone();
    let story = poll(
        100,
        move |now, uri| {
            // It refuses to tell of versions that it does not know.
            let known = uri.split_once("resourceVersion=").map(|(_, known)| known);
            match known.and_then(|known| known.parse::<usize>().ok()) {
                Some(2) if (15.0..75.0).contains(&now) => server.lease(15.0),
                Some(3..) if (15.0..75.0).contains(&now) => {
                    status(504, "Timeout: Too large resource version: 3, current: 2")
                }
                _ => server.lease(now),
            }
        },
        async |_| {},
    )
    .await;
    for (beat, truth) in kubelet.told(&story) {
        let (earliest, latest) = bounds(beat);
        assert!(earliest <= truth && truth <= latest + 0.002, "{truth}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_stood_still_between_two_polls_says_so() {
    let kubelet = Kubelet::usual(20);
    let server = kubelet.clone();
    let story = poll(
        100,
        move |now, _| server.lease(now),
        async |clock| {
            clock.sleep(Duration::from_secs(30)).await;
            tokio::time::advance(Duration::from_secs(25)).await;
        },
    )
    .await;
    let (start, end, resumed) = story.spells()[0];
    assert!(
        (27..=30).contains(&start) && (55..=58).contains(&end),
        "{start} to {end}"
    );
    assert!(!resumed);
    assert_eq!(
        story.batch.blind_spells[0].reason(),
        BlindReason::AgentStalled
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_let_it_in_is_quoted_with_what_it_takes() {
    let words = "leases.coordination.k8s.io \"a\" is forbidden: User \"system:serviceaccount:n:agent\" cannot \
                 impersonate-on:associated-node:get resource \"leases\"";
    let story = poll(30, move |_, _| status(403, words), async |_| {}).await;
    assert_eq!(story.view.visibility(), Visibility::Blind);
    assert_eq!(story.view.reason(), BlindReason::Forbidden);
    let message = &story.view.message;
    assert!(message.contains(words), "{message}");
    assert!(
        message.contains("--impersonate-own-node takes"),
        "{message}"
    );
    assert_eq!(story.batch.heartbeats.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_not_there_is_waited_for() {
    let kubelet = Kubelet::at([30.0, 40.0, 50.0]);
    let server = kubelet.clone();
    let story = poll(
        55,
        move |now, _| {
            if now < 31.0 {
                not_there()
            } else {
                server.lease(now)
            }
        },
        async |_| {},
    )
    .await;
    assert_eq!(story.view.visibility(), Visibility::Observed);
    assert_eq!(kubelet.told(&story).len(), 3);
    let gone = poll(10, |_, _| not_there(), async |_| {}).await;
    assert_eq!(gone.view.visibility(), Visibility::Absent);
}

#[tokio::test(start_paused = true)]
async fn polls_tell_the_sampler_what_to_wait_for_as_a_watch_does() {
    let kubelet = Kubelet::at((0..20).map(|number| f64::from(number) * 12.0));
    let story = polled(230, &kubelet).await;
    let since = story.awaited_since.expect("one is awaited");
    assert!((228..=229).contains(&since), "{since}");
}
