//! The stack against a real TLS server: every form of credentials, one connection for both watches, and a server that dies.

mod kit;

use std::{path::Path, time::Duration};

use futures::StreamExt as _;
use http::{HeaderValue, Request, Version};
use nodegrace_clock::Clock;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::TcpListener,
    sync::watch,
    task::JoinSet,
    time::Instant,
};

use self::kit::{TlsServer, USER_AGENT, write};
use super::{Timeouts, configuration};

fn get(path: &'static str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).unwrap()
}

#[tokio::test]
async fn a_token_is_sent_over_http2_under_the_callers_name() {
    let server = TlsServer::start().await;
    let client = server.client("token: sesame").await;
    client.request_text(get("/version")).await.unwrap();
    let request = server.seen.lock().unwrap().requests[0].clone();
    assert_eq!(request.version, Version::HTTP_2);
    assert_eq!(request.authorization, "Bearer sesame");
    assert_eq!(request.user_agent, USER_AGENT);
    assert!(!request.connection.client_certificate);
}

#[tokio::test]
async fn a_token_file_is_sent() {
    let server = TlsServer::start().await;
    write(&server.directory, "token", "from-a-file\n");
    let user = format!("tokenFile: {}", server.path("token").display());
    server
        .client(&user)
        .await
        .request_text(get("/version"))
        .await
        .unwrap();
    assert_eq!(
        server.seen.lock().unwrap().requests[0].authorization,
        "Bearer from-a-file"
    );
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    let server = TlsServer::start().await;
    let client = server
        .client("client-certificate: client.crt, client-key: client.key")
        .await;
    client.request_text(get("/version")).await.unwrap();
    assert!(
        server.seen.lock().unwrap().requests[0]
            .connection
            .client_certificate
    );
}

#[tokio::test]
async fn two_watches_that_start_at_once_share_one_connection() {
    let server = TlsServer::start().await;
    let client = server.client("token: sesame").await;
    let watch = |path| client.request_events::<serde_json::Value>(get(path));
    let (first, second) = tokio::join!(watch("/nodes?watch=true"), watch("/leases?watch=true"));
    let (_first, _second) = (first.unwrap(), second.unwrap());
    client.request_text(get("/version")).await.unwrap();
    assert_one_connection(&server, 3);
}

#[tokio::test]
async fn what_is_asked_after_minutes_of_watching_goes_over_the_same_connection() {
    let server = TlsServer::start().await;
    let client = server.client("token: sesame").await;
    let watch = client.request_events::<serde_json::Value>(get("/nodes?watch=true"));
    let _open = watch.await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(300)).await;
    // What answers is outside of this time.
    tokio::time::resume();
    client.request_text(get("/version")).await.unwrap();
    assert_one_connection(&server, 2);
}

/// Asserts that so many requests came, all over one connection.
fn assert_one_connection(server: &TlsServer, requests: usize) {
    let seen = server.seen.lock().unwrap();
    let connections: Vec<_> = seen
        .requests
        .iter()
        .map(|request| request.connection.number)
        .collect();
    assert_eq!(connections, vec![connections[0]; requests]);
}

#[tokio::test]
async fn a_server_of_another_authority_is_not_trusted() {
    let (server, other) = (TlsServer::start().await, TlsServer::start().await);
    let client = other.client_at(server.address, "token: sesame").await;
    let error = client.request_text(get("/version")).await.unwrap_err();
    assert!(
        crate::one_line(&error).contains("invalid peer certificate"),
        "{error}"
    );
    assert!(server.seen.lock().unwrap().requests.is_empty());
}

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_within_five_seconds() {
    let server = TlsServer::start().await;
    let wire = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = wire.local_addr().unwrap();
    let (cut, is_cut) = watch::channel(false);
    let target = server.address;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut near, _) = wire.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(target).await.unwrap();
        let mut is_cut = is_cut;
        tokio::select! {
            _ = copy_bidirectional(&mut near, &mut far) => {}
            _ = is_cut.changed() => {}
        }
        // Both ends stay open; nothing passes any more.
        std::future::pending::<()>().await;
        drop((near, far));
    });
    let client = server.client_at(through, "token: sesame").await;
    let stream = client
        .request_events::<serde_json::Value>(get("/nodes?watch=true"))
        .await
        .unwrap();
    let mut stream = std::pin::pin!(stream);
    cut.send_replace(true);
    let start = Instant::now();
    let end = tokio::time::timeout(Duration::from_secs(6), stream.next())
        .await
        .expect("the silence is noticed");
    assert!(
        matches!(end, Some(Err(_))),
        "silence is an error and no proper end"
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_plain_server_that_speaks_http1_only_is_told_what_it_lacks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _ = socket.read(&mut asked).await.unwrap();
            let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            socket.write_all(refusal).await.unwrap();
        }
    });
    let config = kube::Config::new(format!("http://{address}").parse().unwrap());
    let client = super::connect(
        &config,
        HeaderValue::from_static(USER_AGENT),
        Timeouts::default(),
        &Clock::real(),
    )
    .unwrap();
    let error = client.request_text(get("/version")).await.unwrap_err();
    let words = super::failure(&error);
    assert!(
        words.contains("must speak HTTP/2 with prior knowledge"),
        "{words}"
    );
}

#[tokio::test]
async fn a_kubeconfig_that_is_of_no_use_says_why() {
    let missing = configuration(Some(Path::new("/no/such/file")), None)
        .await
        .unwrap_err();
    assert!(crate::one_line(missing.as_ref()).contains("/no/such/file"));
    let server = TlsServer::start().await;
    server.client("token: sesame").await;
    let context = configuration(Some(&server.path("kubeconfig")), Some("nowhere"))
        .await
        .unwrap_err();
    assert!(crate::one_line(context.as_ref()).contains("nowhere"));
}
