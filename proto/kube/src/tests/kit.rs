//! A TLS server that sees who asks, over which connection.

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use http::{HeaderValue, Request, Response, Version, header};
use http_body_util::{Either, Full, StreamBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use nodegrace_clock::Clock;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, pki_types::PrivateKeyDer, server::WebPkiClientVerifier};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::{Timeouts, configuration, connect, install_crypto};

/// How the client calls itself.
pub(super) const USER_AGENT: &str = "nodegrace-test/1";

/// What a server saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    connections: u32,
    pub(super) requests: Vec<SeenRequest>,
}

/// One request a server saw.
#[derive(Clone, Debug)]
pub(super) struct SeenRequest {
    pub(super) connection: Connection,
    pub(super) version: Version,
    pub(super) authorization: String,
    pub(super) user_agent: String,
}

/// The connection it came over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) number: u32,
    pub(super) client_certificate: bool,
}

/// A TLS server that answers everything with `{}` and leaves watches open.
pub(super) struct TlsServer {
    pub(super) address: SocketAddr,
    pub(super) directory: tempfile::TempDir,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Dropped with the server, which ends it.
    _tasks: JoinSet<()>,
}

impl TlsServer {
    pub(super) async fn start() -> Self {
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
            _tasks: tasks,
        }
    }

    /// A client by a kubeconfig with these lines for the user, leading to `address`.
    pub(super) async fn client_at(&self, address: SocketAddr, user: &str) -> kube::Client {
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
        connect(
            &config,
            HeaderValue::from_static(USER_AGENT),
            Timeouts::default(),
            &Clock::real(),
        )
        .unwrap()
    }

    pub(super) async fn client(&self, user: &str) -> kube::Client {
        self.client_at(self.address, user).await
    }

    pub(super) fn path(&self, file: &str) -> PathBuf {
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

pub(super) fn write(directory: &tempfile::TempDir, file: &str, text: &str) {
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
