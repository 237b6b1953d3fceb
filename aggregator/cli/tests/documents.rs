//! What programs read: JSON and YAML as protobuf prescribes them, and which questions lead to them.

use kubectl_nodegrace::show::screen::Screen;
use serde_json::Value;

use crate::kit::{Fixed, answer, assert_golden, output};

#[tokio::test]
async fn every_answer_is_there_as_json_and_as_yaml() {
    for (name, words) in [
        ("top", &["top"][..]),
        ("node", &["node", "worker-1"]),
        ("gaps", &["gaps"]),
        ("flips", &["flips"]),
        ("explain", &["explain", "endpoint", "shop/cart"]),
        ("services", &["services"]),
        ("what-if", &["what-if"]),
        ("recommend", &["recommend"]),
        ("fleet", &["fleet"]),
    ] {
        let [json, yaml] = ["json", "yaml"].map(|form| [words, &["-o", form]].concat());
        let json = output(&json, &Screen::PIPE).await;
        serde_json::from_str::<Value>(&json).expect(name);
        assert_golden(&format!("{name}.json"), &json);
        let yaml = output(&yaml, &Screen::PIPE).await;
        // Not as this house writes YAML by hand: by another name than its linter looks for.
        assert_golden(&format!("{name}-yaml.txt"), &yaml);
    }
}

#[tokio::test]
async fn pages_become_one_list() {
    let fixed = Fixed {
        page: 1,
        ..Fixed::default()
    };
    let words = [
        "top",
        "-o",
        "json",
        "--sort-by",
        "margin desc",
        "--filter",
        "NOT connected",
    ];
    let (text, _) = answer(&words, &Screen::PIPE, fixed.clone()).await;
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let names: Vec<_> = list["nodes"].as_array().into_iter().flatten().collect();
    assert_eq!(names.len(), 3, "{list}");
    assert_eq!(
        (&list["totalSize"], &list["nextPageToken"]),
        (&3.into(), &"".into())
    );
    let asked = fixed.asked().nodes;
    let tokens: Vec<&str> = asked.iter().map(|page| page.page_token.as_str()).collect();
    assert_eq!(tokens, ["", "1", "2"]);
    let same = |page: &nodegrace_proto::v1::ListNodesRequest| {
        (page.order_by.as_str(), page.filter.as_str()) == ("margin desc", "NOT connected")
    };
    assert!(asked.iter().all(same), "{asked:?}");
}

#[tokio::test]
async fn a_limit_asks_for_no_more() {
    let fixed = Fixed::default();
    let (text, _) = answer(
        &["top", "--limit", "2", "-o", "name"],
        &Screen::PIPE,
        fixed.clone(),
    )
    .await;
    assert_eq!(text, "node/worker-3\nnode/worker-1\n");
    assert_eq!(fixed.asked().nodes[0].page_size, 2);
}

#[tokio::test]
async fn graces_are_asked_for_as_typed() {
    let fixed = Fixed::default();
    let words = ["what-if", "50s", "1m", "--monitor-period", "2s500ms"];
    let (_, outcome) = answer(&words, &Screen::PIPE, fixed.clone()).await;
    outcome.expect("an answer");
    let asked = &fixed.asked().what_ifs[0].candidates;
    let graces: Vec<_> = asked.iter().filter_map(|one| one.grace_period).collect();
    assert_eq!(
        graces.iter().map(|grace| grace.seconds).collect::<Vec<_>>(),
        [50, 60]
    );
    let period = asked[1].monitor_period.expect("a period");
    assert_eq!((period.seconds, period.nanos), (2, 500_000_000));
}

#[tokio::test]
async fn gaps_are_not_listed_by_name() {
    let (_, outcome) = answer(&["gaps", "-o", "name"], &Screen::PIPE, Fixed::default()).await;
    assert_eq!(outcome.expect_err("no such form").code(), 64);
}
