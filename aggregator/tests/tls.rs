//! TLS on both ports, over real sockets: certificates that change under way, and peers that do not speak it.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use nodegrace_aggregator::{Config, Tls, TlsFiles};
use nodegrace_clock::Clock;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

/// Far above what anything here takes: it only ends a broken test.
const PATIENCE: Duration = Duration::from_secs(60);

/// An aggregator that speaks TLS, and the files it has its certificate from.
struct Encrypted {
    directory: TempDir,
    grpc: SocketAddr,
    http: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// A certificate that signs itself, in DER and in PEM, and its key.
struct Certificate {
    der: CertificateDer<'static>,
    pem: String,
    key: String,
}

impl Certificate {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["aggregator".to_owned()]).expect("it signs itself");
        Self {
            der: cert.der().clone(),
            pem: cert.pem(),
            key: signing_key.serialize_pem(),
        }
    }

    fn write(&self, directory: &Path) {
        fs::write(directory.join("tls.crt"), &self.pem).expect("there is room");
        fs::write(directory.join("tls.key"), &self.key).expect("there is room");
    }
}

impl Encrypted {
    /// An aggregator whose time, and with it the looks at its files, passes a hundred times as fast.
    async fn start(certificate: &Certificate) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        certificate.write(directory.path());
        let files = TlsFiles {
            certificate: directory.path().join("tls.crt"),
            key: directory.path().join("tls.key"),
            client_ca: None,
        };
        let config = Config {
            tls: Some(Tls::open(files).expect("files that fit")),
            ..Config::default()
        };
        let bind = async || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let (grpc, http) = (bind().await.expect("a port"), bind().await.expect("a port"));
        let address = |listener: &TcpListener| listener.local_addr().expect("a bound port");
        let (shutdown, clock) = (CancellationToken::new(), Clock::real());
        let clock = Clock::scaled(100.0, clock.wall());
        Self {
            directory,
            grpc: address(&grpc),
            http: address(&http),
            running: tokio::spawn(nodegrace_aggregator::run(
                config,
                clock,
                grpc,
                http,
                shutdown.clone(),
            )),
            shutdown,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("no panic").expect("a clean end");
    }
}

/// A connection of a client that trusts one certificate only, with the protocol that it offers.
async fn connect(
    address: SocketAddr,
    trusted: &Certificate,
    protocol: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone()).expect("a root");
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let name = ServerName::try_from("aggregator").expect("a name");
    let socket = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(client))
        .connect(name, socket)
        .await
}

async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 256];
    let read = stream.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]);
    answer.lines().next().unwrap_or_default().to_owned()
}

/// Connects until it succeeds with who is trusted.
async fn until_served_by(address: SocketAddr, trusted: &Certificate) -> TlsStream<TcpStream> {
    let served = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Ok(stream) = connect(address, trusted, "http/1.1").await {
                return stream;
            }
            tokio::task::yield_now().await;
        }
    });
    served.await.expect("the new certificate is in use")
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_a_broken_one_for_none() {
    let (first, second) = (Certificate::new(), Certificate::new());
    let aggregator = Encrypted::start(&first).await;
    let mut before = until_served_by(aggregator.http, &first).await;
    assert_eq!(get(&mut before, "/readyz").await, "HTTP/1.1 200 OK");

    // A key without its certificate, at more than one look.
    let key = aggregator.directory.path().join("tls.key");
    fs::write(key, &second.key).expect("there is room");
    Clock::real().sleep(Duration::from_millis(500)).await;
    until_served_by(aggregator.http, &first).await;

    second.write(aggregator.directory.path());
    let mut after = until_served_by(aggregator.http, &second).await;
    assert_eq!(get(&mut after, "/livez").await, "HTTP/1.1 200 OK");
    assert_eq!(get(&mut before, "/livez").await, "HTTP/1.1 200 OK");
    let strangers = connect(aggregator.http, &first, "http/1.1").await;
    assert!(
        strangers.is_err(),
        "the first certificate is not shown any more"
    );
    aggregator.stop().await;
}

#[tokio::test]
async fn each_port_agrees_on_its_own_protocol_only() {
    let certificate = Certificate::new();
    let aggregator = Encrypted::start(&certificate).await;
    for (address, protocol, agreed) in [
        (aggregator.grpc, "h2", true),
        (aggregator.grpc, "http/1.1", false),
        (aggregator.http, "http/1.1", true),
        (aggregator.http, "h2", false),
    ] {
        let connected = connect(address, &certificate, protocol).await;
        assert_eq!(connected.is_ok(), agreed, "{protocol} at {address}");
    }
    aggregator.stop().await;
}

#[tokio::test]
async fn plain_text_and_noise_end_their_own_connections_and_no_other() {
    let certificate = Certificate::new();
    let aggregator = Encrypted::start(&certificate).await;
    let mut honest = until_served_by(aggregator.http, &certificate).await;
    for words in [
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\0\0\0\0\0\0",
    ] {
        for address in [aggregator.grpc, aggregator.http] {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(words.as_bytes()).await.expect("sent");
            // An alert perhaps, and then the end, by whatever name the system gives it.
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    }
    assert_eq!(get(&mut honest, "/livez").await, "HTTP/1.1 200 OK");
    aggregator.stop().await;
}

/// Time jumps ahead whenever everybody waits, so that nobody but the silent peer may be there.
#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_cut() {
    let aggregator = Encrypted::start(&Certificate::new()).await;
    for address in [aggregator.grpc, aggregator.http] {
        let mut silent = TcpStream::connect(address).await.expect("a connection");
        let end = silent.read_to_end(&mut Vec::new()).await;
        assert_eq!(end.ok(), Some(0), "{address} ends it");
    }
    aggregator.stop().await;
}
