//! What goes wrong, in words that say what to do, with the exit code for scripts.

use kubectl_nodegrace::{failure::Failure, show::screen::Screen};
use nodegrace_proto::v1;
use tonic::{Code, Status};

use crate::kit::{Fixed, answer};

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    for (code, exit, wanted) in [
        (Code::Unauthenticated, 1, "--token-file"),
        (Code::PermissionDenied, 1, "may not ask"),
        (Code::ResourceExhausted, 1, "ask again in a moment"),
        (Code::Unimplemented, 1, "older than this program"),
        (Code::DeadlineExceeded, 1, "--request-timeout"),
        (Code::InvalidArgument, 64, "filter: position 3"),
    ] {
        let fixed = Fixed::refusing(Status::new(
            code,
            "filter: position 3: said by the aggregator",
        ));
        let (text, outcome) = answer(&["top"], &Screen::PIPE, fixed).await;
        let failure = outcome.expect_err("refused");
        assert_eq!((failure.code(), text.as_str()), (exit, ""), "{failure}");
        let words = failure.to_string();
        assert!(
            words.contains(wanted) && words.contains("position 3"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_node_that_never_reported_is_named() {
    let (_, outcome) = answer(&["node", "nowhere"], &Screen::PIPE, Fixed::default()).await;
    let failure = outcome.expect_err("no such node");
    assert!(matches!(failure, Failure::Failed(_)), "{failure:?}");
    assert!(failure.to_string().contains("nowhere"), "{failure}");
}

/// The tokens of `ListNodes` expire, and are those of one run of the aggregator.
#[tokio::test]
async fn a_list_that_is_cut_off_is_begun_anew_once() {
    let expired = || Status::invalid_argument("page_token: not one of this request's, or expired");
    let fixed = |refused: &[usize]| Fixed {
        page: 1,
        refusals: refused.iter().map(|number| (*number, expired())).collect(),
        ..Fixed::default()
    };
    let words = ["top", "-o", "name"];
    let (text, outcome) = answer(&words, &Screen::PIPE, fixed(&[1])).await;
    outcome.expect("the second walk comes to the end");
    assert_eq!(text, "node/worker-3\nnode/worker-1\nnode/worker-2\n");

    let (text, outcome) = answer(&words, &Screen::PIPE, fixed(&[1, 3])).await;
    let failure = outcome.expect_err("both are cut off");
    assert_eq!((failure.code(), text.as_str()), (1, ""), "{failure}");
    assert!(failure.to_string().contains("expired"), "{failure}");
}

#[tokio::test]
async fn a_node_without_an_agent_is_told_in_every_form() {
    let mut fixed = Fixed::default();
    fixed.nodes.push(v1::Node {
        name: "bare-1".to_owned(),
        state: v1::State::NoAgent.into(),
        ..v1::Node::default()
    });
    for output in ["table", "wide", "json", "yaml", "name"] {
        let words = ["node", "bare-1", "-o", output];
        let (text, outcome) = answer(&words, &Screen::PIPE, fixed.clone()).await;
        outcome.unwrap_or_else(|failure| panic!("{output}: {failure}"));
        assert!(text.contains("bare-1"), "{output}: {text}");
    }
}

#[tokio::test]
async fn what_a_list_leaves_out_is_said_beside_it() {
    let fixed = Fixed {
        dropped_gaps: 7,
        ..Fixed::default()
    };
    let dropped = "7 shorter gaps made room";
    for (words, wanted) in [
        (&["gaps"][..], vec![dropped]),
        (&["node", "worker-3"], vec![dropped]),
        (&["gaps", "--limit", "1"], vec![dropped, "the first 1 gaps"]),
        (&["flips", "--limit", "1"], vec!["the first 1 flips"]),
        (&["services", "--limit", "1"], vec!["the first 1 Services"]),
        (&["flips"], vec![]),
        (&["services"], vec![]),
    ] {
        let (_, outcome) = answer(words, &Screen::PIPE, fixed.clone()).await;
        let remark = outcome.expect("an answer").remark.unwrap_or_default();
        let said: Vec<&str> = remark.lines().collect();
        assert_eq!(said.len(), wanted.len(), "{words:?}: {remark}");
        for words in wanted {
            assert!(remark.contains(words), "{remark}");
        }
    }
}

#[tokio::test]
async fn a_check_ends_as_the_live_setting_deserves() {
    let recommended = Fixed::default().recommendation;
    let graces = |live: i64, wanted: i64| {
        let mut answer = recommended.clone();
        let grace = |seconds| Some(nodegrace_proto::prost_types::Duration { seconds, nanos: 0 });
        answer.present.as_mut().expect("present").grace_period = grace(live);
        answer
            .recommended
            .as_mut()
            .expect("recommended")
            .grace_period = grace(wanted);
        answer
    };
    let short = |kind: v1::ShortageKind| v1::RecommendResponse {
        recommended: None,
        shortage: Some(v1::Shortage {
            kind: kind.into(),
            ..v1::Shortage::default()
        }),
        ..recommended.clone()
    };
    for (recommendation, code, word) in [
        (graces(40, 70), 3, "misses the target, 70s meets it"),
        (graces(70, 70), 0, "of 70s meets the target"),
        (graces(90, 70), 0, "of 90s meets the target"),
        (short(v1::ShortageKind::OutOfReach), 3, "misses the target"),
        (
            short(v1::ShortageKind::NotEnoughData),
            4,
            "too little is known",
        ),
        (
            short(v1::ShortageKind::NothingMeasured),
            4,
            "too little is known",
        ),
    ] {
        let fixed = Fixed {
            recommendation,
            ..Fixed::default()
        };
        let (_, outcome) = answer(&["recommend", "--check"], &Screen::PIPE, fixed.clone()).await;
        let checked = outcome.expect("an answer");
        let remark = checked.remark.unwrap_or_default();
        assert_eq!(checked.code, code, "{remark}");
        assert!(remark.contains(word), "{remark}");
        let (_, outcome) = answer(&["recommend"], &Screen::PIPE, fixed).await;
        assert_eq!(
            outcome.expect("an answer").code,
            0,
            "nobody asked for a check"
        );
    }
}

#[tokio::test]
async fn a_grace_period_in_doubt_is_said_beside_what_rests_on_it() {
    let mut fixed = Fixed::default();
    let doubt = "flips came after 50 s, --grace-period says 40 s";
    for settings in [&mut fixed.fleet.controller, &mut fixed.what_if.present] {
        settings.as_mut().expect("settings").warning = doubt.to_owned();
    }
    for words in ["fleet", "what-if", "recommend"] {
        let (_, outcome) = answer(&[words], &Screen::PIPE, fixed.clone()).await;
        let remark = outcome.expect("an answer").remark.unwrap_or_default();
        assert!(remark.contains(doubt), "{words}: {remark}");
    }
}
