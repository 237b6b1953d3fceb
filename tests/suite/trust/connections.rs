//! Attacks by connections: too many, too slow, of another protocol, or against the rules of HTTP/2.

use std::{pin::pin, time::Duration};

use nodegrace_agent::{Timeouts, TlsFiles, channel};
use nodegrace_clock::Clock;
use nodegrace_tests::{
    authority::Authority,
    running::{Aggregator, written},
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::timeout};
use tonic::{Code, metadata::MetadataValue};

use super::siege::{Siege, said, showing, stranger, stranger_with_little_room};

/// What a client says first (RFC 9113, section 3.4), and settings of which none is set.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `POST http / x`, from the static table of HPACK but for the last.
const HEAD: &[u8] = b"\x83\x86\x84\x41\x01x";

/// Says what begins a connection, and then `more` and more, up to a hundred times the memory that one head may take. True: it was
/// closed before.
async fn until_closed(siege: &Siege, begin: &[u8], more: impl Fn(u32) -> Vec<u8>) -> bool {
    let (mut stream, mut bytes) = (stranger(siege.aggregator.address).await, 0);
    if stream.write_all(begin).await.is_err() {
        return true;
    }
    for number in 0.. {
        let words = more(number);
        bytes += words.len();
        if stream.write_all(&words).await.is_err() {
            return true;
        }
        if bytes > 16 << 20 {
            break;
        }
    }
    false
}

#[tokio::test]
async fn peers_that_say_nothing_or_little_keep_nobody_out() {
    let mut siege = Siege::begin().await;
    let mut held: Vec<TcpStream> = Vec::new();
    for number in 0..300 {
        for address in [siege.aggregator.address, siege.aggregator.http] {
            let mut slow = stranger(address).await;
            if number % 2 == 0 {
                let dribble: &[u8] = if address == siege.aggregator.http {
                    b"GET /livez HTTP/1.1\r\nhost:"
                } else {
                    &PREFACE[..20]
                };
                // Those who are too many are closed by now.
                let _ = slow.write_all(dribble).await;
            }
            held.push(slow);
        }
        if number % 100 == 0 {
            siege.goes_on().await;
        }
    }
    let probe = TcpStream::connect(siege.aggregator.http).await;
    let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = said(probe.expect("a connection"), request).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "a probe is answered");
    let refusals = siege.fleet().await.refusals.expect("they are counted");
    // Fewer on a machine so slow that the first have been cut already.
    let beyond = 1..=300 - 128;
    assert!(beyond.contains(&refusals.connections), "{refusals:?}");
    drop(held);
    siege.end().await;
}

/// Answers that their reader never takes: more of them than sockets hold, so that the rest waits in the aggregator.
#[tokio::test]
async fn readers_by_http_that_take_nothing_are_ended_while_others_are_served() {
    let mut siege = Siege::begin().await;
    let mut unread = stranger_with_little_room(siege.aggregator.http).await;
    let request = b"GET /page/fleet.js HTTP/1.1\r\nhost: x\r\n\r\n";
    let begin = Clock::real().now();
    // Whoever reads no answers is no longer heard at some time, and then cut off.
    let mut asking = pin!(async { while unread.write_all(request).await.is_ok() {} });
    for second in 0.. {
        assert!(second < 60, "it is never ended");
        siege.goes_on().await;
        if timeout(Duration::from_secs(1), &mut asking).await.is_ok() {
            break;
        }
    }
    let took = Clock::real().now().saturating_sub(begin);
    assert!(took >= Duration::from_secs(19), "not at once: {took:?}");
    let refusals = siege.fleet().await.refusals.expect("they are counted");
    assert_eq!(refusals.slow_readers, 1);
    siege.end().await;
}

#[tokio::test]
async fn floods_of_headers_end_their_own_connections() {
    let mut siege = Siege::begin().await;
    // A head that never ends.
    let begin = [PREFACE, &frame(HEADERS, 0, 1, HEAD)].concat();
    let header = [b"\x40\x01x\x7f\x7f".as_slice(), &[b'y'; 254]].concat();
    let more = frame(CONTINUATION, 0, 1, &header.repeat(50));
    let cut = until_closed(&siege, &begin, |_| more.clone()).await;
    assert!(cut, "it takes all");
    siege.goes_on().await;

    // Requests that are cancelled at once, again and again.
    let rapid = |number: u32| {
        let stream = 2 * number + 1;
        let mut frames = frame(HEADERS, END_HEADERS | END_STREAM, stream, HEAD);
        frames.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        frames
    };
    let bursts = |number: u32| {
        (0..1000)
            .flat_map(|one| rapid(1000 * number + one))
            .collect()
    };
    let cut = until_closed(&siege, PREFACE, bursts).await;
    assert!(cut, "it takes all");
    siege.goes_on().await;

    let mut request = showing(Some("bad"), nodegrace_proto::v1::GetFleetRequest {});
    let long = "y".repeat(64 << 10);
    let long = MetadataValue::try_from(long).expect("it is a header");
    request.metadata_mut().insert("x-long", long);
    let mut client =
        nodegrace_proto::v1::query_client::QueryClient::new(siege.aggregator.channel());
    let status = client.get_fleet(request).await.expect_err("a refusal");
    assert_ne!(status.code(), Code::PermissionDenied, "it is not even read");
    siege.end().await;
}

#[tokio::test]
async fn whoever_speaks_another_protocol_is_not_understood() {
    let mut siege = Siege::begin().await;
    // TLS to plain text.
    let url = format!("https://{}", siege.aggregator.address);
    let ca = written(&Authority::new().pem());
    let files = TlsFiles {
        authorities: Some(ca.path.clone().into()),
        ..TlsFiles::default()
    };
    let encrypted = channel(&url, &files, &Timeouts::default()).expect("a URL");
    let mut client = nodegrace_proto::v1::query_client::QueryClient::new(encrypted);
    let request = showing(Some("reader"), nodegrace_proto::v1::GetFleetRequest {});
    let status = client.get_fleet(request).await.expect_err("no answer");
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    siege.goes_on().await;
    // HTTP/1 to gRPC, HTTP/2 to HTTP/1, and noise to both.
    for address in [siege.aggregator.address, siege.aggregator.http] {
        for words in [
            b"GET /livez HTTP/1.1\r\n\r\n\r\n".as_slice(),
            PREFACE,
            &[0; 1024],
            &[0xff; 1024],
        ] {
            let mut stream = stranger(address).await;
            let _ = stream.write_all(words).await;
            let _ = stream.shutdown().await;
            said(stream, b"").await;
        }
    }
    siege.end().await;
}

#[tokio::test]
async fn plain_text_to_tls_is_refused_while_others_are_served() {
    let (authority, name) = (Authority::new(), "nodegrace.nodegrace.svc");
    let ca = written(&authority.pem());
    let (certificate, key) = authority.server_pem(name);
    let (certificate, key) = (written(&certificate), written(&key));
    let args = ["--tls-cert", &certificate.path, "--tls-key", &key.path];
    let aggregator = Aggregator::start_encrypted(name, &ca, &args).await;
    for address in [aggregator.address, aggregator.http] {
        for words in [PREFACE, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let answer = said(stranger(address).await, words).await;
            assert!(!answer.starts_with(b"HTTP/"), "an alert at most");
        }
    }
    nodegrace_tests::question::fleet(aggregator.channel()).await;
    assert!(aggregator.process.terminate().await.success());
}
