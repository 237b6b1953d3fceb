//! Flips and the stories of endpoints: what is asked for, and what is said where the cluster is not watched.

use kubectl_nodegrace::show::screen::Screen;
use nodegrace_proto::v1;
use tonic::{Code, Status};

use crate::kit::{Fixed, answer, watch};

#[tokio::test]
async fn flips_are_asked_for_as_typed() {
    let fixed = Fixed::default();
    let words = [
        "flips",
        "node/worker-3",
        "--kind",
        "heartbeat-lost",
        "--sort-by",
        "unready_for desc",
        "-o",
        "json",
    ];
    let (_, outcome) = answer(&words, &Screen::PIPE, fixed.clone()).await;
    outcome.expect("an answer");
    let asked = &fixed.asked().flips[0];
    assert_eq!(asked.node_name, "worker-3");
    assert_eq!(asked.kind(), v1::FlipKind::HeartbeatLost);
    assert_eq!(asked.order_by, "unready_for desc");
    assert!(asked.addresses, "a program gets everything");
}

#[tokio::test]
async fn flips_since_a_moment_are_those_from_then_on_and_no_older_page_is_asked_for() {
    let fixed = Fixed {
        page: 1,
        ..Fixed::default()
    };
    for (since, seen, pages) in [("1m", 1, 2), ("1h", 2, 3), ("2026-11-01T00:00:00Z", 3, 3)] {
        let before = fixed.asked().flips.len();
        let words = ["flips", "--no-headers", "--since", since];
        let (text, _) = answer(&words, &Screen::PIPE, fixed.clone()).await;
        let asked = fixed.asked().flips.len() - before;
        assert_eq!(
            (text.lines().count(), asked),
            (seen, pages),
            "{since}\n{text}"
        );
    }
}

#[tokio::test]
async fn a_story_is_asked_for_as_typed() {
    let fixed = Fixed::default();
    let words = [
        "explain",
        "endpoint",
        "shop/cart",
        "--since",
        "2026-11-18T00:00:00Z",
        "--limit",
        "7",
    ];
    let (_, outcome) = answer(&words, &Screen::PIPE, fixed.clone()).await;
    outcome.expect("an answer");
    let asked = &fixed.asked().stories[0];
    assert_eq!(
        (asked.namespace.as_str(), asked.service.as_str()),
        ("shop", "cart")
    );
    assert_eq!(
        asked.since_time.map(|time| time.seconds),
        Some(1_794_960_000)
    );
    assert_eq!(asked.max_entries, 7);
}

#[tokio::test]
async fn where_the_cluster_is_not_watched_it_is_said_how_to_turn_that_on() {
    for words in [&["explain", "endpoint", "shop/cart"][..], &["services"]] {
        let status = Status::new(Code::FailedPrecondition, "the cluster is not watched");
        let (_, outcome) = answer(words, &Screen::PIPE, Fixed::refusing(status)).await;
        let failure = outcome.expect_err("nobody watches");
        let said = failure.to_string();
        assert_eq!(failure.code(), 1);
        assert!(
            said.contains("--watch-cluster=on") && said.contains("components/endpoints"),
            "{said}"
        );
    }
    let mut fixed = Fixed::default();
    fixed.fleet.cluster_watch = Some(watch(v1::WatchPhase::Off));
    let (text, outcome) = answer(&["flips"], &Screen::PIPE, fixed).await;
    let remark = outcome.expect("what agents saw").remark.unwrap_or_default();
    assert!(
        text.contains("worker-3") && remark.contains("--watch-cluster=on"),
        "{remark}"
    );
}

#[tokio::test]
async fn a_watch_that_is_behind_is_doubted_with_its_trouble() {
    let mut fixed = Fixed::default();
    let mut behind = watch(v1::WatchPhase::Behind);
    behind.nodes.as_mut().expect("a watch").trouble = "nodes is forbidden".to_owned();
    fixed.fleet.cluster_watch = Some(behind);
    let (_, outcome) = answer(&["flips"], &Screen::PIPE, fixed.clone()).await;
    let remark = outcome.expect("an answer").remark.unwrap_or_default();
    assert!(
        remark.starts_with("warning: flips may be missing") && remark.contains("forbidden"),
        "{remark}"
    );

    fixed.story.warning = "the latest changes are missing".to_owned();
    let words = ["explain", "endpoint", "shop/cart"];
    let (_, outcome) = answer(&words, &Screen::PIPE, fixed).await;
    let remark = outcome.expect("an answer").remark;
    assert_eq!(
        remark.as_deref(),
        Some("warning: the latest changes are missing")
    );
}

#[tokio::test]
async fn a_question_that_comes_too_early_is_to_be_asked_again() {
    let status = Status::new(Code::Unavailable, "the cluster is not listed yet");
    let words = ["explain", "endpoint", "shop/cart"];
    let (_, outcome) = answer(&words, &Screen::PIPE, Fixed::refusing(status)).await;
    let said = outcome.expect_err("it is early").to_string();
    assert_eq!(said, "the cluster is not listed yet: ask again in a moment");
}

#[tokio::test]
async fn nothing_that_flipped_and_nothing_at_risk_are_said_beside_empty_tables() {
    let fixed = Fixed {
        flips: Vec::new(),
        services: Vec::new(),
        ..Fixed::default()
    };
    for (words, said) in [
        ("flips", "no node was seen"),
        ("services", "no Service has"),
    ] {
        let (text, outcome) = answer(&[words], &Screen::PIPE, fixed.clone()).await;
        let remark = outcome.expect("an answer").remark.unwrap_or_default();
        assert!(
            text.is_empty() && remark.contains(said),
            "{words}: {text}{remark}"
        );
    }
}
