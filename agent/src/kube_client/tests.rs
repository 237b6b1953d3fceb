//! The stack against a real TLS server: every form of credentials, one connection for both watches, and a server that dies.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::StreamExt as _;
use http::{Request, Response, Version, header};
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use tokio::{io::copy_bidirectional, net::TcpListener, sync::watch, task::JoinSet, time::Instant};
use tokio_rustls::TlsAcceptor;

use super::*;

/// What a server saw.
#[derive(Debug, Default)]
struct Seen {
    connections: u32,
    requests: Vec<SeenRequest>,
}

/// One request a server saw.
#[derive(Clone, Debug)]
struct SeenRequest {
    connection: Connection,
    version: Version,
    authorization: String,
    user_agent: String,
}

/// The connection it came over.
#[derive(Clone, Copy, Debug)]
struct Connection {
    number: u32,
    client_certificate: bool,
}

/// A TLS server that answers everything with `{}` and leaves watches open.
struct TlsServer {
    address: SocketAddr,
    directory: tempfile::TempDir,
    seen: Arc<Mutex<Seen>>,
    tasks: JoinSet<()>,
}

impl TlsServer {
    async fn start() -> Self {
        install_crypto();
        let directory = tempfile::tempdir().unwrap();
        let authority = authority();
        write(&directory, "ca.crt", &authority.pem());
        let (client, client_key) = issue(&authority, "client");
        write(&directory, "client.crt", &client.pem());
        write(&directory, "client.key", &client_key.serialize_pem());
        let (server, server_key) = issue(&authority, "localhost");

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .allow_unauthenticated()
            .build()
            .unwrap();
        let mut tls = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![server.der().clone()],
                PrivateKeyDer::try_from(server_key.serialize_der()).unwrap(),
            )
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(
            listener,
            TlsAcceptor::from(Arc::new(tls)),
            Arc::clone(&seen),
        ));
        Self {
            address,
            directory,
            seen,
            tasks,
        }
    }

    /// A client by a kubeconfig with these lines for the user, leading to `address`.
    async fn client_at(&self, address: SocketAddr, user: &str) -> kube::Client {
        let path = self.directory.path().join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             contexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
             clusters: [{{name: k, cluster: {{server: 'https://localhost:{}', certificate-authority: ca.crt}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n",
            address.port()
        );
        fs::write(&path, text).unwrap();
        let config = configuration(Some(&path), None).await.unwrap();
        connect(&config, &Timeouts::default()).unwrap()
    }

    async fn client(&self, user: &str) -> kube::Client {
        self.client_at(self.address, user).await
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, authority).unwrap(), key)
}

fn write(directory: &tempfile::TempDir, file: &str, text: &str) {
    fs::write(directory.path().join(file), text).unwrap();
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, seen: Arc<Mutex<Seen>>) {
    let mut connections = JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else {
                return;
            };
            let connection = {
                let mut seen = seen.lock().unwrap();
                seen.connections += 1;
                Connection {
                    number: seen.connections,
                    client_certificate: stream.get_ref().1.peer_certificates().is_some(),
                }
            };
            let answer = service_fn(move |request| {
                let seen = Arc::clone(&seen);
                async move { respond(&request, connection, &seen) }
            });
            // A connection that breaks is the end of it; the client tells.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

type Answer = Response<
    Either<Full<Bytes>, StreamBody<futures::stream::Pending<Result<Frame<Bytes>, http::Error>>>>,
>;

fn respond(
    request: &Request<Incoming>,
    connection: Connection,
    seen: &Mutex<Seen>,
) -> Result<Answer, http::Error> {
    let value = |name| {
        request
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    seen.lock().unwrap().requests.push(SeenRequest {
        connection,
        version: request.version(),
        authorization: value(header::AUTHORIZATION),
        user_agent: value(header::USER_AGENT),
    });
    let watch = request
        .uri()
        .query()
        .is_some_and(|query| query.contains("watch"));
    Response::builder().body(if watch {
        Either::Right(StreamBody::new(futures::stream::pending()))
    } else {
        Either::Left(Full::new(Bytes::from_static(b"{}")))
    })
}

fn get(path: &'static str) -> Request<Vec<u8>> {
    Request::get(path).body(Vec::new()).unwrap()
}

#[tokio::test]
async fn a_token_is_sent_over_http2_under_the_agents_name() {
    let server = TlsServer::start().await;
    let client = server.client("token: sesame").await;
    client.request_text(get("/version")).await.unwrap();
    let request = server.seen.lock().unwrap().requests[0].clone();
    assert_eq!(request.version, Version::HTTP_2);
    assert_eq!(request.authorization, "Bearer sesame");
    assert_eq!(
        request.user_agent,
        concat!("nodegrace-agent/", env!("CARGO_PKG_VERSION"))
    );
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
    let seen = server.seen.lock().unwrap();
    let connections: Vec<_> = seen
        .requests
        .iter()
        .map(|request| request.connection.number)
        .collect();
    assert_eq!(connections.len(), 3);
    assert!(
        connections
            .iter()
            .all(|&connection| connection == connections[0]),
        "{connections:?}"
    );
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
    drop(server.tasks);
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
