//! Port-forwards to pods, over WebSocket as `portforward` of a real server speaks it (v4.channel.k8s.io): each port has a channel
//! for bytes and one for an error, each begins with the port's number, and each message with the number of its channel.

use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Bytes, Error, Message, handshake::derive_accept_key, protocol::Role},
};

use super::{object::Key, refusal::Refusal, request::url_pairs, respond::Body};

/// The subprotocol.
const PROTOCOL: &str = "v4.channel.k8s.io";
/// Channels of the only port that is forwarded at once.
const DATA: u8 = 0;
const ERROR: u8 = 1;
/// Most bytes of one message: what the real server's buffer holds.
const CHUNK: usize = 32 * 1024;

/// What is asked for: one port of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) pod: Key,
    pub(super) port: u16,
}

impl Target {
    /// The target at a path; none for other paths.
    pub(super) fn at(uri: &Uri) -> Option<Self> {
        let path: Vec<&str> = uri.path().trim_matches('/').split('/').collect();
        let [
            "api",
            "v1",
            "namespaces",
            namespace,
            "pods",
            pod,
            "portforward",
        ] = path[..]
        else {
            return None;
        };
        let ports = url_pairs(uri.query().unwrap_or_default());
        let mut ports = ports.into_iter().filter(|(name, _)| name == "ports");
        let port = ports.next().and_then(|(_, value)| value.parse().ok())?;
        Some(Self {
            pod: Key::new(namespace, pod),
            port,
        })
    }
}

/// The answer that switches protocols.
pub(super) fn switch(headers: &HeaderMap) -> Result<Response<Body>, Refusal> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let offered = headers.get(header::SEC_WEBSOCKET_PROTOCOL);
    let offered = offered.and_then(|value| value.to_str().ok());
    let mut offered = offered.unwrap_or_default().split(',').map(str::trim);
    let (Some(key), true) = (key, offered.any(|protocol| protocol == PROTOCOL)) else {
        let problem = format!("you must specify {PROTOCOL} in a WebSocket's upgrade");
        return Err(Refusal::Invalid(problem));
    };
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()))
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    let mut response = Response::new(Empty::new().boxed_unsync());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let protocol = HeaderValue::from_static(PROTOCOL);
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    Ok(response)
}

/// Carries bytes between the client and what listens in the pod, until one of them ends.
pub(super) async fn carry(upgrade: OnUpgrade, target: Target, listens: Option<SocketAddr>) {
    let carried = async {
        let client = TokioIo::new(upgrade.await?);
        let client = WebSocketStream::from_raw_socket(client, Role::Server, None).await;
        Ok::<_, anyhow::Error>(forward(client, &target, listens).await?)
    };
    if let Err(error) = carried.await {
        tracing::debug!(%error, "port-forward ended");
    }
}

async fn forward(
    client: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    target: &Target,
    listens: Option<SocketAddr>,
) -> Result<(), Error> {
    let (mut sink, mut stream) = client.split();
    for channel in [DATA, ERROR] {
        let port = target.port.to_le_bytes();
        sink.send(message(channel, &port)).await?;
    }
    let connected = match listens {
        Some(address) => TcpStream::connect(address).await,
        None => Err(std::io::ErrorKind::ConnectionRefused.into()),
    };
    let pod = match connected {
        Ok(pod) => pod,
        Err(error) => {
            let Target { pod, port } = target;
            let problem = format!("failed to connect to port {port} inside pod {pod:?}: {error}");
            sink.send(message(ERROR, problem.as_bytes())).await?;
            // What is still sent is read, so that the client reads this before it finds the connection closed.
            while let Some(Ok(_)) = stream.next().await {}
            return sink.close().await;
        }
    };
    let (mut from_pod, mut to_pod) = pod.into_split();
    let up = async {
        while let Some(Ok(Message::Binary(bytes))) = stream.next().await {
            let Some((&DATA, bytes)) = bytes.split_first() else {
                continue;
            };
            if to_pod.write_all(bytes).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let down = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(read @ 1..) = from_pod.read(&mut buffer).await {
            sink.send(message(DATA, &buffer[..read])).await?;
        }
        sink.close().await
    };
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    Message::Binary(Bytes::from([&[channel], bytes].concat()))
}
