//! Attacks by streams and questions: tokens of no worth, others' names, too much of everything.

use nodegrace_proto::{codec::SmallBuffers, v1};
use tokio::task::JoinSet;
use tonic::{Code, Status, client::Grpc, codegen::http::uri::PathAndQuery, transport::Channel};

use super::siege::{Siege, Stream, showing};

#[tokio::test]
async fn tokens_of_no_worth_open_no_stream() {
    let mut siege = Siege::begin().await;
    for (token, words) in [
        (None, "no token was shown"),
        (Some("made-up"), "invalid bearer token"),
        (Some("expired"), "has expired"),
        (Some("other"), "token audiences"),
        (Some("shop"), "shop:cart's and not"),
        (Some("reader"), "is invalid for the target audiences"),
    ] {
        let status = siege.stream("good", token).await.err().expect(words);
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(status.message().contains(words), "{status}");
        siege.goes_on().await;
    }
    let history = siege.fleet().await.history.expect("it is there");
    assert_eq!(history.rejected_streams, 6);
    siege.end().await;
}

#[tokio::test]
async fn an_agent_reports_for_no_other_node_by_whatever_name_or_batch() {
    let mut siege = Siege::begin().await;
    let overheard = siege
        .stream("good", Some("good"))
        .await
        .expect("a stream")
        .beat();
    let other_name = siege
        .stream("good", Some("bad"))
        .await
        .expect("a stream")
        .beat();
    for batch in [overheard, other_name] {
        let mut bad = siege.stream("bad", Some("bad")).await.expect("a stream");
        let status = bad.send(batch).await.expect_err("a refusal");
        assert_eq!(status.code(), Code::PermissionDenied);
        siege.goes_on().await;
    }
    // A stream that began as itself and goes on as another.
    let mut bad = siege.stream("bad", Some("bad")).await.expect("a stream");
    let own = bad.beat();
    bad.send(own).await.expect("an ack");
    let mut batch = bad.beat();
    batch.node_name = "good".to_owned();
    let status = bad.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    siege.end().await;
}

/// What is said of a damaged batch, and the damage.
type Damage = (&'static str, Code, fn(&mut v1::ReportBatch));

#[tokio::test]
async fn what_is_too_large_or_no_batch_ends_its_own_stream() {
    let mut siege = Siege::begin().await;
    let damage: [Damage; 5] = [
        ("larger than", Code::ResourceExhausted, |batch| {
            batch.heartbeats[0].resource_version = "9".repeat(5 << 20);
        }),
        ("more than 1024 records", Code::ResourceExhausted, |batch| {
            batch.heartbeats = vec![v1::Heartbeat::default(); 1025];
        }),
        ("node_name", Code::InvalidArgument, |batch| {
            batch.node_name = "../good".to_owned();
        }),
        ("node_name", Code::InvalidArgument, |batch| {
            batch.node_name = "x".repeat(254);
        }),
        ("agent: is missing", Code::InvalidArgument, |batch| {
            batch.agent = None;
        }),
    ];
    for (words, code, damage) in damage {
        let mut bad = siege.stream("bad", Some("bad")).await.expect("a stream");
        let mut batch = bad.beat();
        damage(&mut batch);
        let status = bad.send(batch).await.expect_err(words);
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(words), "{status}");
        siege.goes_on().await;
    }

    let mut client = Grpc::new(siege.aggregator.channel());
    client.ready().await.expect("a connection");
    let no_batch = v1::Fleet {
        nodes: 7,
        ..v1::Fleet::default()
    };
    let codec = SmallBuffers::<v1::Fleet, v1::ReportAck>::default();
    let path = PathAndQuery::from_static("/nodegrace.v1.Ingest/Report");
    let request = showing(Some("bad"), tokio_stream::once(no_batch));
    let acks = client.streaming(request, path, codec).await;
    let mut acks = acks.expect("a stream").into_inner();
    let status = acks.message().await.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("malformed message"), "{status}");
    siege.end().await;
}

/// A stream of node `bad`, or what the aggregator says to it. Streams end at the two sides of a connection one after the other, so
/// that a client may find a connection full that it takes for free. HTTP/2 itself refuses then, before anybody counts, and clients
/// are to try again (RFC 9113, section 8.7).
async fn open_when_there_is_room(channel: Channel) -> Result<Stream, Status> {
    for _ in 0..100 {
        match Stream::open(channel.clone(), "bad", Some("bad")).await {
            Err(status) if status.code() == Code::Unavailable => tokio::task::yield_now().await,
            opened => return opened,
        }
    }
    panic!("no room for a stream that nobody holds");
}

#[tokio::test]
async fn ten_thousand_streams_of_one_agent_are_sixteen() {
    const STREAMS: usize = 10_000;
    let mut siege = Siege::begin().await;
    let channels = [(); 4].map(|()| siege.aggregator.channel());
    let mut open = Vec::new();
    for _ in 0..STREAMS / 500 {
        let mut opening = JoinSet::new();
        for channel in channels.iter().cycle().take(500) {
            let channel = channel.clone();
            opening.spawn(open_when_there_is_room(channel));
        }
        while let Some(opened) = opening.join_next().await {
            match opened.expect("no panic") {
                Ok(stream) => open.push(stream),
                Err(status) => {
                    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                    assert!(status.message().contains("streams of node bad"), "{status}");
                }
            }
        }
        siege.goes_on().await;
    }
    assert_eq!(open.len(), 16);
    let history = siege.fleet().await.history.expect("it is there");
    assert_eq!(history.rejected_streams, (STREAMS - 16) as u64);
    siege.end().await;
}

#[tokio::test]
async fn whoever_may_not_get_the_fleet_is_not_told_of_it() {
    let mut siege = Siege::begin().await;
    for (token, code) in [
        (None, Code::Unauthenticated),
        (Some("made-up"), Code::Unauthenticated),
        (Some("nobody"), Code::PermissionDenied),
        (Some("scraper"), Code::PermissionDenied),
        (Some("good"), Code::PermissionDenied),
        (Some("shop"), Code::PermissionDenied),
    ] {
        let status = siege.ask(token).await.expect_err("a refusal");
        assert_eq!(status.code(), code, "{token:?}: {status}");
        siege.goes_on().await;
    }
    let refusals = siege.fleet().await.refusals.expect("they are counted");
    assert_eq!(refusals.queries, 6);
    siege.end().await;
}
