//! An aggregator under attack: an agent that it believes, a reader who may ask, and whoever else comes.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, ingest_client::IngestClient, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Account, Permission, Resource, Review, Store},
    kubeconfig::{Credentials, kubeconfig},
};
use nodegrace_tests::running::{Aggregator, Written, written};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};

const AGGREGATOR: &str = "system:serviceaccount:nodegrace:nodegrace-aggregator";
const AGENT: &str = "system:serviceaccount:nodegrace:nodegrace-agent";

/// Another address of this machine: attackers are somebody else than those who are honest.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// An aggregator in plain text that believes nobody without a token, and those who go on whatever happens.
pub(super) struct Siege {
    pub(super) aggregator: Aggregator,
    pub(super) api_server: ApiServer,
    good: Stream,
    _kubeconfig: Written,
}

/// An open stream of somebody who says to be the agent of a node.
pub(super) struct Stream {
    node: String,
    sequence: u64,
    clock: Clock,
    batches: mpsc::Sender<v1::ReportBatch>,
    acks: Streaming<v1::ReportAck>,
}

/// The token of an agent's pod on `node`, for somebody, with an end.
pub(super) fn account(node: &str) -> Account {
    let node = (
        "authentication.kubernetes.io/node-name".to_owned(),
        node.to_owned(),
    );
    Account {
        name: ("nodegrace".into(), "nodegrace-agent".into()),
        audiences: vec!["nodegrace".into()],
        extra: [node].into(),
        expires: None,
    }
}

impl Siege {
    /// Lets everybody take their places. Tokens: `good` and `bad` of the agents of two nodes, `reader` and `scraper` of a user who
    /// may get the fleet and of one who may get /metrics, `nobody` of one who may do neither; and of agents: `expired`, `other`
    /// for another audience, and `shop` of another account.
    pub(super) async fn begin() -> Self {
        let clock = Clock::real();
        let api_server = ApiServer::new(Store::new(clock.clone(), 1), clock.clone());
        let expired = Account {
            expires: Some(clock.now()),
            ..account("good")
        };
        let other = Account {
            audiences: vec!["https://other".into()],
            ..account("good")
        };
        let shop = Account {
            name: ("shop".into(), "cart".into()),
            ..account("good")
        };
        let nodes = || Permission::new(&["get", "list"], Resource::Node);
        api_server.set_access(
            Access::closed()
                .with_token("own", AGGREGATOR)
                .permit_review(AGGREGATOR, Review::Token)
                .permit_review(AGGREGATOR, Review::Access)
                .permit(AGENT, nodes())
                .permit("system:serviceaccounts:shop", nodes())
                .with_account("good", account("good"))
                .with_account("bad", account("bad"))
                .with_account("expired", expired)
                .with_account("other", other)
                .with_account("shop", shop)
                .with_token("reader", "alice")
                .permit("alice", Permission::on(&["get"], "nodegrace.io", "fleet"))
                .with_token("scraper", "prometheus")
                .permit("prometheus", Permission::at_path(&["get"], "/metrics"))
                .with_token("nobody", "bob")
                .permit("bob", nodes()),
        );
        let listening = api_server.listen(([127, 0, 0, 1], 0).into(), None).await;
        let credentials = Credentials {
            token: Some("own".into()),
            ..Credentials::default()
        };
        let address = listening.expect("the API server listens");
        let file = written(&kubeconfig(address, &credentials));
        let args = [
            "--agent-auth=token",
            "--query-auth=token",
            "--kubeconfig",
            &file.path,
        ];
        let aggregator = Aggregator::start_plain(&args).await;
        let good = Stream::open(aggregator.channel(), "good", Some("good")).await;
        let mut siege = Self {
            good: good.expect("it is believed"),
            aggregator,
            api_server,
            _kubeconfig: file,
        };
        siege.goes_on().await;
        siege
    }

    /// Reports a heartbeat and asks for it: every one that was ever reported is there, once.
    pub(super) async fn goes_on(&mut self) {
        let batch = self.good.beat();
        self.good.send(batch).await.expect("an ack");
        let name = "good".to_owned();
        let request = showing(Some("reader"), v1::GetNodeRequest { name });
        let node = QueryClient::new(self.aggregator.channel())
            .get_node(request)
            .await
            .expect("an answer")
            .into_inner();
        let heartbeats: u64 = node.channels.iter().map(|channel| channel.heartbeats).sum();
        assert_eq!(heartbeats, self.good.sequence, "no record is lost");
        let observation = node.observation.expect("it is always there");
        assert!(observation.connected, "its stream is open");
    }

    /// Opens a stream for a node with a token.
    pub(super) async fn stream(&self, node: &str, token: Option<&str>) -> Result<Stream, Status> {
        Stream::open(self.aggregator.channel(), node, token).await
    }

    /// What the reader is told of the fleet.
    pub(super) async fn fleet(&self) -> v1::Fleet {
        let answer = self.ask(Some("reader")).await;
        answer.expect("an answer")
    }

    /// What somebody is told of the fleet.
    pub(super) async fn ask(&self, token: Option<&str>) -> Result<v1::Fleet, Status> {
        let request = showing(token, v1::GetFleetRequest {});
        let mut client = QueryClient::new(self.aggregator.channel());
        Ok(client.get_fleet(request).await?.into_inner())
    }

    /// Ends it in peace.
    pub(super) async fn end(mut self) {
        self.goes_on().await;
        assert!(self.aggregator.process.terminate().await.success());
        self.api_server.stop().await;
    }
}

impl Stream {
    pub(super) async fn open(
        channel: Channel,
        node: &str,
        token: Option<&str>,
    ) -> Result<Self, Status> {
        let (batches, stream) = mpsc::channel(1);
        let request = showing(token, ReceiverStream::new(stream));
        let acks = IngestClient::new(channel).report(request).await?;
        Ok(Self {
            node: node.to_owned(),
            sequence: 0,
            clock: Clock::real(),
            batches,
            acks: acks.into_inner(),
        })
    }

    /// A batch with the next renewal of the Lease, seen just now.
    pub(super) fn beat(&mut self) -> v1::ReportBatch {
        self.sequence += 1;
        let now = prost_types::Duration::try_from(self.clock.now()).expect("in range");
        let wall = prost_types::Timestamp::from(self.clock.wall());
        let heartbeat = v1::Heartbeat {
            sequence_number: self.sequence,
            channel: v1::Channel::Lease.into(),
            stamp_time: Some(wall),
            arrival_monotonic: Some(now),
            arrival_time: Some(wall),
            resource_version: self.sequence.to_string(),
            ..v1::Heartbeat::default()
        };
        v1::ReportBatch {
            node_name: self.node.clone(),
            agent: Some(v1::AgentInstance {
                boot_id: format!("boot of {}", self.node),
                start_time: Some(wall),
                start_monotonic: Some(prost_types::Duration::default()),
                version: "0.1.0".to_owned(),
            }),
            first_sequence_number: self.sequence,
            sent_monotonic: Some(now),
            sent_time: Some(wall),
            heartbeats: vec![heartbeat],
            ..v1::ReportBatch::default()
        }
    }

    /// Sends a batch and waits for what is said of it.
    pub(super) async fn send(&mut self, batch: v1::ReportBatch) -> Result<v1::ReportAck, Status> {
        // A stream that has ended says why in its acks.
        let _ = self.batches.send(batch).await;
        let ack = self.acks.message().await?;
        Ok(ack.expect("an ack or an error before the end"))
    }
}

/// A request that shows a token.
pub(super) fn showing<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let token = format!("Bearer {token}").parse().expect("a header");
        request.metadata_mut().insert("authorization", token);
    }
    request
}

/// A connection of somebody else's.
pub(super) async fn stranger(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((ELSEWHERE, 0).into()).expect("an address");
    socket.connect(address).await.expect("a connection")
}

/// A connection of somebody else's with little room for what is not read yet.
pub(super) async fn stranger_with_little_room(address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a buffer");
    socket.bind((ELSEWHERE, 0).into()).expect("an address");
    socket.connect(address).await.expect("a connection")
}

/// Says something on a connection and reads what comes until its end.
pub(super) async fn said(mut stream: TcpStream, words: &[u8]) -> Vec<u8> {
    // The other end may close before it has read all of it.
    let _ = stream.write_all(words).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}
