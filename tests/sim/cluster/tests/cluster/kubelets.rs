//! Each kind of kubelet beats as its trouble lets it.

use std::time::Duration;

use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    api::{Key, Resource, condition},
    kubelet::{Channel, Effect, Kind, NodeSpec, Posted, fleet},
};

use crate::kit::{self, RECORDED_RULE, seconds};

/// An hour of one node of a kind.
async fn an_hour_of(kind: Kind, seed: u64) -> Cluster {
    let clock = kit::clock();
    let mut spec = ClusterSpec::new(vec![NodeSpec::new("n", kind, seed)], seed);
    spec.rule = RECORDED_RULE;
    let cluster = Cluster::start(spec, &clock).unwrap();
    clock.sleep(seconds(3600.0)).await;
    cluster
}

fn periods(posted: &[Posted]) -> Vec<f64> {
    posted
        .windows(2)
        .map(|pair| match pair[1].stamp.duration_since(pair[0].stamp) {
            Ok(forward) => forward.as_secs_f64(),
            Err(backward) => -backward.duration().as_secs_f64(),
        })
        .collect()
}

fn longest(gaps: &[Duration]) -> Duration {
    gaps.iter().copied().max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_healthy_kubelet_renews_every_ten_seconds_and_four_percent_and_reports_every_five_minutes()
 {
    let cluster = an_hour_of(Kind::Healthy, 3).await;
    let renewals = periods(&cluster.ledger().credited("n", Channel::Lease));
    assert!(renewals.iter().all(|period| (10.0..10.95).contains(period)));
    assert!((345..=356).contains(&renewals.len()), "{}", renewals.len());
    let reports = cluster.ledger().credited("n", Channel::NodeStatus).len();
    assert!((11..=18).contains(&reports), "{reports}");
    assert!(cluster.flips().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_kubelet_has_no_lease_and_a_real_period_of_twenty_to_fifty_seconds() {
    let cluster = an_hour_of(Kind::Overloaded, 3).await;
    assert!(cluster.ledger().credited("n", Channel::Lease).is_empty());
    let mut periods = periods(&cluster.ledger().credited("n", Channel::NodeStatus));
    periods.sort_by(f64::total_cmp);
    let quantile = |share: f64| periods[(share * (periods.len() - 1) as f64) as usize];
    assert!((18.0..35.0).contains(&quantile(0.5)), "{}", quantile(0.5));
    assert!((30.0..62.0).contains(&quantile(0.98)), "{}", quantile(0.98));
}

#[tokio::test(start_paused = true)]
async fn a_slow_runtime_delays_the_status_and_not_the_lease() {
    let cluster = an_hour_of(Kind::SlowRuntime, 3).await;
    let renewals = periods(&cluster.ledger().credited("n", Channel::Lease));
    assert!(renewals.iter().all(|period| (10.0..10.95).contains(period)));
    assert!(cluster.flips().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_starved_kubelet_stalls_on_both_channels() {
    let cluster = an_hour_of(Kind::CpuStarved, 5).await;
    assert!(longest(&cluster.ledger().gaps("n")) > seconds(20.0));
}

#[tokio::test(start_paused = true)]
async fn a_flaky_connection_makes_arrivals_late_that_were_stamped_in_time() {
    let cluster = an_hour_of(Kind::FlakyConnection, 5).await;
    let start = kit::recorded_day();
    let late = cluster.ledger().of("n").into_iter().filter(|posted| {
        // The machine's wall clock is the cluster's: arrival minus stamp is the time on the way.
        let arrival = start + (posted.at - Duration::from_secs(3600));
        posted.channel == Channel::Lease
            && arrival.duration_since(posted.stamp).unwrap_or_default() > seconds(0.4)
    });
    assert!(late.count() > 0);
    assert!(longest(&cluster.ledger().gaps("n")) > seconds(20.0));
}

#[tokio::test(start_paused = true)]
async fn a_clock_stepped_back_hides_renewals_until_it_has_caught_up_or_a_status_is_posted() {
    assert!((2..=3).contains(&hidden_after_a_step(-25.0, 60.0).await));
    // Given up after 40 s, the node is seen by its kubelet to be Unknown, which then posts its status.
    assert!((3..=6).contains(&hidden_after_a_step(-600.0, 300.0).await));
}

/// Renewals that were not credited in so many seconds after a step of the node's clock.
async fn hidden_after_a_step(step: f64, then: f64) -> usize {
    let clock = kit::clock();
    let mut spec = ClusterSpec::new(vec![NodeSpec::new("n", Kind::Healthy, 3)], 1);
    spec.rule = RECORDED_RULE;
    // But for what the controller does, only Leases come for a quarter of an hour.
    spec.nodes[0].status_report_frequency = seconds(900.0);
    let cluster = Cluster::start(spec, &clock).unwrap();
    clock.sleep(seconds(60.0)).await;
    cluster
        .node("n")
        .unwrap()
        .inject(Effect::ClockStep(step), seconds(1.0));
    clock.sleep(seconds(then)).await;
    let posted = cluster.ledger().of("n");
    posted.iter().filter(|posted| !posted.credited).count()
}

#[tokio::test(start_paused = true)]
async fn a_restarted_kubelet_renews_at_once_under_a_new_process() {
    let clock = kit::clock();
    let cluster = Cluster::start(
        ClusterSpec::new(vec![NodeSpec::new("n", Kind::Healthy, 3)], 1),
        &clock,
    )
    .unwrap();
    clock.sleep(seconds(60.0)).await;
    let node = cluster.node("n").unwrap();
    node.inject(Effect::Gone, seconds(20.0));
    let gone = clock.now();
    clock.sleep(seconds(21.0)).await;
    let last = *cluster
        .ledger()
        .credited("n", Channel::Lease)
        .last()
        .unwrap();
    assert!((last.at - gone).abs_diff(seconds(20.0)) < seconds(0.2));
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_whose_runtime_is_down_says_so_itself_and_goes_on_beating() {
    let clock = kit::clock();
    let cluster = Cluster::start(
        ClusterSpec::new(vec![NodeSpec::new("n", Kind::Healthy, 3)], 1),
        &clock,
    )
    .unwrap();
    let node = cluster.node("n").unwrap();
    node.inject(Effect::RuntimeDown, seconds(60.0));
    let reason = || {
        let key = Key::cluster("n");
        let node = cluster.server().store().get(Resource::Node, &key).unwrap();
        condition(&node.value, "Ready").unwrap()["reason"].clone()
    };
    clock.sleep(seconds(30.0)).await;
    assert_eq!(reason(), "KubeletNotReady");
    clock.sleep(seconds(60.0)).await;
    assert_eq!(reason(), "KubeletReady");
    assert!(cluster.flips().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_controller_with_a_stale_watch_flips_a_healthy_node() {
    let clock = kit::clock();
    let cluster = Cluster::start(
        ClusterSpec::new(vec![NodeSpec::new("n", Kind::Healthy, 3)], 1),
        &clock,
    )
    .unwrap();
    clock.sleep(seconds(30.0)).await;
    cluster.controller().freeze_leases(true);
    clock.sleep(seconds(120.0)).await;
    assert!(!cluster.flips().is_empty());
    assert!(longest(&cluster.ledger().gaps("n")) < seconds(11.0));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_lives_the_same_life() {
    let mut lives = Vec::new();
    for _ in 0..2 {
        let clock = kit::clock();
        let nodes = fleet(20, 9);
        let cluster = Cluster::start(ClusterSpec::new(nodes, 9), &clock).unwrap();
        clock.sleep(seconds(900.0)).await;
        let life: Vec<_> = cluster
            .nodes()
            .iter()
            .map(|node| cluster.ledger().gaps(&node.spec().name))
            .collect();
        lives.push((life, cluster.flips()));
        cluster.stop().await;
    }
    assert!(lives[0] == lives[1]);
}
