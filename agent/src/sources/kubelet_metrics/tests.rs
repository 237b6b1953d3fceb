//! What is made of two readings of a kubelet's /metrics, and of restarts between them.

use super::*;

const FIRST: &str = include_str!("../../../tests/written/kubelet-metrics-1.txt");
const SECOND: &str = include_str!("../../../tests/written/kubelet-metrics-2.txt");

fn scrape(text: &str, at: u64) -> Scrape {
    let at = Duration::from_secs(at);
    let mut scrape = Scrape::new(at, at);
    text.lines().for_each(|line| scrape.take(line));
    scrape
}

fn now() -> Moment {
    Moment {
        monotonic: Duration::from_secs(20),
        wall: Timestamp::from_second(1_700_000_012).unwrap(),
    }
}

#[test]
fn the_first_scrape_gives_what_needs_no_interval() {
    let metrics = scrape(FIRST, 10).since(None, now());
    assert_eq!(
        (metrics.running_pods, metrics.running_containers),
        (Some(12), Some(31))
    );
    assert_eq!(metrics.pleg_last_seen_age.unwrap().seconds, 2);
    assert!(metrics.runtime_operations.is_empty());
    assert_eq!((metrics.api_put, metrics.cpu_cores), (None, None));
}

#[test]
fn latencies_are_those_of_the_calls_between_two_scrapes() {
    let metrics = scrape(SECOND, 20).since(Some(&scrape(FIRST, 10)), now());
    let list_images = &metrics.runtime_operations[0];
    assert_eq!(
        (list_images.operation.as_str(), list_images.calls),
        ("list_images", 2)
    );
    assert_eq!(list_images.mean.unwrap().nanos, 500_000_000);
    assert_eq!(list_images.p99_bound.unwrap().seconds, 1);
    assert_eq!(metrics.cpu_cores, Some(0.5));
}

#[test]
fn puts_are_summed_over_hosts_and_other_verbs_left_out() {
    let metrics = scrape(SECOND, 20).since(Some(&scrape(FIRST, 10)), now());
    assert_eq!(metrics.api_put.unwrap().calls, 3);
}

#[test]
fn a_call_beyond_every_bound_has_none() {
    let metrics = scrape(SECOND, 20).since(Some(&scrape(FIRST, 10)), now());
    let relist = metrics.pleg_relist.unwrap();
    assert_eq!((relist.calls, relist.p99_bound), (1, None));
}

#[test]
fn after_a_restart_the_calls_since_then_count() {
    let metrics = scrape(FIRST, 20).since(Some(&scrape(SECOND, 10)), now());
    assert_eq!(metrics.runtime_operations[0].calls, 8);
    assert_eq!(metrics.cpu_cores, None);
}

#[test]
fn after_a_restart_that_no_counter_shows_the_calls_since_then_count() {
    let restarted = format!("{SECOND}process_start_time_seconds 1700000004\n");
    let metrics = scrape(&restarted, 20).since(Some(&scrape(FIRST, 10)), now());
    assert_eq!(metrics.runtime_operations[0].calls, 10);
    assert_eq!(metrics.cpu_cores, None);
}

#[test]
fn a_start_that_moved_with_the_wall_clock_is_no_restart() {
    let started = |at: u64| format!("process_start_time_seconds {at}\n");
    let before = scrape(&(FIRST.to_owned() + &started(1_699_990_000)), 10);
    let metrics =
        scrape(&(SECOND.to_owned() + &started(1_699_993_600)), 20).since(Some(&before), now());
    assert_eq!(metrics.runtime_operations[0].calls, 2);
}

/// `rest_client_requests_total` of two servers: answered with 200 and 409, not answered, 429 and 503.
fn requests(counts: [u64; 5]) -> String {
    let codes = ["200", "409", "<error>", "429", "503"];
    let lines = codes.iter().zip(counts).map(|(code, count)| {
        format!(
            "rest_client_requests_total{{code=\"{code}\",host=\"a:6443\",method=\"PUT\"}} {count}\n\
             rest_client_requests_total{{code=\"{code}\",host=\"b:6443\",method=\"GET\"}} {count}\n"
        )
    });
    lines.collect()
}

fn asked(metrics: &KubeletMetrics) -> [Option<u64>; 3] {
    [
        metrics.api_requests,
        metrics.api_unanswered,
        metrics.api_refused,
    ]
}

#[test]
fn requests_to_the_api_server_are_told_by_how_they_ended_over_all_its_hosts() {
    let before = scrape(&requests([100, 5, 1, 0, 2]), 10);
    let metrics = scrape(&requests([110, 6, 4, 2, 3]), 20).since(Some(&before), now());
    assert_eq!(asked(&metrics), [Some(34), Some(6), Some(6)]);
    assert_eq!(asked(&before.since(None, now())), [None; 3]);
}

#[test]
fn the_first_request_that_fails_in_a_way_is_counted() {
    let before = scrape(requests([100, 0, 0, 0, 0]).lines().next().unwrap(), 10);
    let metrics = scrape(&requests([100, 0, 3, 0, 0]), 20).since(Some(&before), now());
    assert_eq!(asked(&metrics), [Some(106), Some(6), Some(0)]);
}

#[test]
fn after_a_restart_the_requests_since_then_count() {
    let before = scrape(&requests([100, 5, 9, 0, 2]), 10);
    let metrics = scrape(&requests([100, 5, 1, 0, 0]), 20).since(Some(&before), now());
    assert_eq!(asked(&metrics), [Some(212), Some(2), Some(0)]);
}

#[test]
fn a_kubelet_that_counts_no_requests_leaves_them_unknown() {
    let metrics = scrape(SECOND, 20).since(Some(&scrape(FIRST, 10)), now());
    assert_eq!(asked(&metrics), [None; 3]);
}

#[test]
fn its_start_is_told_by_the_wall_clock() {
    let metrics = scrape("process_start_time_seconds 1.7000000045e+09\n", 10).since(None, now());
    let start = metrics.start_time.unwrap();
    assert_eq!((start.seconds, start.nanos), (1_700_000_004, 500_000_000));
    for absurd in ["1e300", "1e12"] {
        let text = format!("process_start_time_seconds {absurd}\n");
        assert_eq!(scrape(&text, 10).since(None, now()).start_time, None);
    }
    assert_eq!(scrape(FIRST, 10).since(None, now()).start_time, None);
}

#[test]
fn what_is_no_number_is_unknown() {
    for nonsense in ["NaN", "+Inf", "-1"] {
        let pods = format!("kubelet_running_pods {nonsense}\n");
        assert_eq!(scrape(&pods, 10).since(None, now()).running_pods, None);
    }
}

#[test]
fn renewals_are_the_puts_that_succeeded_since_the_kubelets_start() {
    let line = |method: &str, code: &str, count: u32| {
        format!(
            "rest_client_requests_total{{code=\"{code}\",host=\"a\",method=\"{method}\"}} {count}\n"
        )
    };
    let text = line("PUT", "200", 40) + &line("PUT", "409", 2) + &line("PUT", "<error>", 3);
    let metrics = scrape(&(text + &line("GET", "200", 99)), 20).since(None, now());
    let count = metrics.renewals.unwrap();
    assert_eq!(count.renewals, 40);
    assert_eq!(count.answered_monotonic.unwrap().seconds, 20);
    assert_eq!(scrape(FIRST, 20).since(None, now()).renewals, None);
}
