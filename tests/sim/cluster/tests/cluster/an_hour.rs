//! A fleet of 40 lives for an hour of virtual time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use nodegrace_sim_cluster::{
    Cluster, ClusterSpec,
    kubelet::{Kind, fleet},
};

use crate::kit::{self, RECORDED_RULE};

#[tokio::test(start_paused = true)]
async fn an_hour_of_forty_nodes_has_flips_on_the_troubled_ones_only() {
    for seed in [1, 2] {
        let clock = kit::clock();
        let mut spec = ClusterSpec::new(fleet(40, seed), seed);
        spec.rule = RECORDED_RULE;
        let cluster = Cluster::start(spec, &clock).unwrap();
        clock.sleep(Duration::from_secs(3600)).await;

        let mut by_kind: BTreeMap<Kind, usize> = BTreeMap::new();
        let mut nodes = BTreeSet::new();
        for flip in cluster.flips() {
            assert!(
                flip.unseen_for > RECORDED_RULE.grace_period
                    && flip.unseen_for < Duration::from_secs(46)
            );
            *by_kind
                .entry(cluster.node(&flip.node).unwrap().spec().kind)
                .or_default() += 1;
            nodes.insert(flip.node);
        }
        println!(
            "seed {seed}: flips by kind {by_kind:?} on {} nodes",
            nodes.len()
        );
        let flips: usize = by_kind.values().sum();
        assert!((5..=40).contains(&flips), "{flips} flips");
        assert!((4..=10).contains(&nodes.len()), "on {} nodes", nodes.len());
        assert!(!by_kind.contains_key(&Kind::Healthy) && !by_kind.contains_key(&Kind::SlowRuntime));
        cluster.stop().await;
    }
}
