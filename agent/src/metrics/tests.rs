//! What a scrape says of a node whose story is known, in every format.

use std::time::Duration;

use http::{Method, Request, StatusCode, header::ACCEPT};
use http_body_util::BodyExt as _;
use nodegrace_clock::Clock;
use nodegrace_exposition::{
    Figures,
    Format::{OpenMetrics, Text},
};
use nodegrace_proto::{
    prost_types::{self, Timestamp},
    v1::{
        BlindSpell, Channel, ChannelView, ConditionStatus, Heartbeat, ReadyChange, Runtime,
        RuntimeCall, Sample, Visibility,
    },
};
use prost::Message as _;
use tokio::sync::watch;

use super::{
    families::{Kept, Present, families},
    format::Format,
    protobuf::{FamilyMessage, Span},
    server::Scrape,
    tally::Tally,
};
use crate::{journal::Journal, observe::Observation, rhythm::Rhythm};

/// What a scrape says, which `GOLDEN=write cargo test -p nodegrace-agent` writes anew.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/metrics.txt");

fn duration(seconds: f64) -> Option<prost_types::Duration> {
    prost_types::Duration::try_from(Duration::from_secs_f64(seconds)).ok()
}

fn time(seconds: f64) -> Option<Timestamp> {
    let at = duration(seconds)?;
    Some(Timestamp {
        seconds: at.seconds,
        nanos: at.nanos,
    })
}

/// A renewal stamped at `stamp`, which arrived `delay` seconds later.
fn renewal(stamp: f64, delay: f64) -> Heartbeat {
    Heartbeat {
        channel: Channel::Lease.into(),
        stamp_time: time(stamp),
        arrival_time: time(stamp + delay),
        ..Heartbeat::default()
    }
}

fn learn(tally: &Tally, heartbeat: Heartbeat) {
    tally.learn(&[Observation::Heartbeat(heartbeat)]);
}

/// A node that beats at 0, 10 and 21 s; is not seen until 60 s, where the list finds a renewal; and beats again at 102 s, after it
/// was marked Unknown.
fn a_story() -> Tally {
    let tally = Tally::default();
    for (channel, visibility) in [
        (Channel::Lease, Visibility::Observed),
        (Channel::NodeStatus, Visibility::Absent),
    ] {
        tally.view(&ChannelView {
            channel: channel.into(),
            visibility: visibility.into(),
            ..ChannelView::default()
        });
    }
    learn(
        &tally,
        Heartbeat {
            baseline: true,
            ..renewal(0.0, 0.0)
        },
    );
    for (stamp, gap) in [(10.0, None), (21.0, Some(11.0))] {
        learn(&tally, renewal(stamp, 0.25));
        tally.gap(gap.map(Duration::from_secs_f64));
    }
    tally.spell(&BlindSpell {
        channel: Channel::Lease.into(),
        start_monotonic: duration(25.0),
        end_monotonic: duration(60.0),
        ..BlindSpell::default()
    });
    learn(
        &tally,
        Heartbeat {
            arrival_uncertainty: duration(9.0),
            ..renewal(51.0, 9.0)
        },
    );
    tally.gap(None);
    tally.learn(&[Observation::ReadyChange(ReadyChange {
        status: ConditionStatus::Unknown.into(),
        ..ReadyChange::default()
    })]);
    learn(&tally, renewal(102.0, 0.5));
    tally.gap(Some(Duration::from_secs_f64(42.5)));
    tally.sample(&Sample {
        runtime: Some(Runtime {
            containers: Some(640),
            images: Some(212),
            calls: vec![
                RuntimeCall {
                    method: "ListContainers".to_owned(),
                    took: duration(0.75),
                    error: String::new(),
                },
                RuntimeCall {
                    method: "ListImages".to_owned(),
                    took: duration(30.0),
                    error: "no answer".to_owned(),
                },
            ],
            ..Runtime::default()
        }),
        ..Sample::default()
    });
    tally.sample(&Sample {
        fine: true,
        ..Sample::default()
    });
    tally
}

fn present() -> Present<'static> {
    let kept = |held, lost| Kept { held, lost };
    Present {
        node: "worker-\"1\"",
        running_gap: Some(Duration::from_millis(3500)),
        records: vec![("heartbeat", kept(4, 0)), ("sample", kept(2, 7))],
        process: Figures {
            cpu_seconds: Some(1.5),
            ..Figures::default()
        },
    }
}

fn written(format: Format) -> Vec<u8> {
    format.write(&families(&a_story().read(), &present()))
}

fn text(format: Format) -> String {
    String::from_utf8(written(format)).expect("text")
}

#[test]
fn a_scrape_says_what_it_said_last_time() {
    let version = concat!("version=\"", env!("CARGO_PKG_VERSION"), "\"");
    let text = text(Format::Text(OpenMetrics)).replace(version, "version=\"this one\"");
    if std::env::var("GOLDEN").is_ok_and(|how| how == "write") {
        std::fs::write(GOLDEN, &text).expect("a file of ours");
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    assert_eq!(text, golden);
}

#[test]
fn the_text_formats_differ_in_the_names_of_counters_and_in_their_end() {
    let (open, old) = (text(Format::Text(OpenMetrics)), text(Format::Text(Text)));
    assert!(open.contains("# TYPE nodegrace_agent_heartbeats counter"));
    assert!(old.contains("# TYPE nodegrace_agent_heartbeats_total counter"));
    let samples = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(samples(&open), samples(&old));
    assert!(open.ends_with("\n# EOF\n") && !old.contains("# EOF"));
}

#[test]
fn protobuf_has_gaps_as_a_native_histogram_too() {
    let bytes = written(Format::Protobuf);
    let (mut rest, mut families) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        families.push(FamilyMessage::decode_length_delimited(&mut rest).expect("a family"));
    }
    let named = |name: &str| {
        families
            .iter()
            .find(|family| family.name.as_deref() == Some(name))
    };
    assert!(named("nodegrace_agent_heartbeats_total").is_some());
    let gaps = named("nodegrace_agent_gap_seconds").expect("gaps");
    let gaps = gaps.metrics[0].histogram.as_ref().expect("a histogram");
    // 11 s and 42.5 s, by 2^(n / 32): above 2^(110 / 32) = 10.83 s, and above 2^(173 / 32) = 42.40 s.
    let span = |offset, length| Span {
        offset: Some(offset),
        length: Some(length),
    };
    let wanted = vec![span(111, 1), span(62, 1)];
    assert_eq!((&gaps.spans, &gaps.deltas), (&wanted, &vec![1, 0]));
    assert_eq!(gaps.count, Some(2));
}

#[test]
fn buckets_side_by_side_are_one_span() {
    let tally = Tally::default();
    // 2^(107 / 32) = 10.15 s and 2^(108 / 32) = 10.37 s are ends of buckets.
    for gap in [10.2, 10.3, 10.5] {
        tally.gap(Some(Duration::from_secs_f64(gap)));
    }
    let families = families(&tally.read(), &present());
    let bytes = Format::Protobuf.write(&families);
    let mut rest = &bytes[..];
    let spans = std::iter::from_fn(|| FamilyMessage::decode_length_delimited(&mut rest).ok())
        .find(|family| family.name.as_deref() == Some("nodegrace_agent_gap_seconds"))
        .and_then(|family| family.metrics[0].histogram.clone())
        .map(|histogram| (histogram.spans, histogram.deltas));
    let span = Span {
        offset: Some(108),
        length: Some(2),
    };
    assert_eq!(spans, Some((vec![span], vec![2, -1])));
}

#[test]
fn strangers_methods_make_no_series_without_end() {
    let tally = Tally::default();
    for method in 0..100 {
        let call = RuntimeCall {
            method: format!("Method{method}"),
            ..RuntimeCall::default()
        };
        tally.sample(&Sample {
            runtime: Some(Runtime {
                calls: vec![call],
                ..Runtime::default()
            }),
            ..Sample::default()
        });
    }
    assert_eq!(tally.read().calls.len(), 8);
}

#[tokio::test]
async fn only_the_metrics_are_answered() {
    let clock = Clock::real();
    let scrape = Scrape {
        journal: std::sync::Arc::new(Journal::for_test(&clock)),
        rhythm: watch::Sender::new(Rhythm::default()).subscribe(),
        node: "worker-1".to_owned(),
        clock,
        reports: true,
    };
    let ask = |method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = request.header(ACCEPT, "application/openmetrics-text");
        scrape.answer(&request.body(()).expect("a request"))
    };
    let answer = ask(Method::GET, "/metrics");
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.expect("a body");
    let text = String::from_utf8(body.to_bytes().to_vec()).expect("text");
    assert!(text.contains("nodegrace_agent_info{node=\"worker-1\""));
    assert!(text.contains("nodegrace_agent_spool_records{kind=\"heartbeat\"} 0"));
    assert_eq!(ask(Method::GET, "/").status(), StatusCode::NOT_FOUND);
    let posted = ask(Method::POST, "/metrics").status();
    assert_eq!(posted, StatusCode::METHOD_NOT_ALLOWED);
}
