//! Who may query: people and programs with the right to, by what the API server says of their tokens.

use nodegrace_aggregator::{AccessReviewer, AgentAuth, Config, QueryAuth, Reviewer};
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Account, Permission, Resource},
};
use tonic::{Code, Request, Status};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
};

use crate::kit::{
    World, a_clock,
    api_server::{AUDIENCE, access, agent_on, api_server, client},
    seconds,
};

/// Alice may get the fleet, bob may not, and a program of the namespace `shop` may and has a token for this audience only.
fn people() -> Access {
    let program = Account {
        name: ("shop".to_owned(), "dashboard".to_owned()),
        audiences: vec![AUDIENCE.to_owned()],
        ..Account::default()
    };
    let fleet = || Permission::on(&["get"], "nodegrace.io", "fleet");
    access(&[("agents", agent_on("node-1")), ("programs", program)])
        .with_token("alices", "alice")
        .with_token("bobs", "bob")
        .permit("alice", fleet())
        .permit("bob", Permission::new(&["list"], Resource::Node))
        .permit("system:serviceaccounts:shop", fleet())
}

/// An aggregator that is asked by those who may, and the API server that says who.
struct Guarded {
    world: World,
    api_server: ApiServer,
}

impl Guarded {
    fn new() -> Self {
        let clock = a_clock();
        let api_server = api_server(&clock, &[]);
        api_server.set_access(people());
        let config = Config {
            agent_auth: AgentAuth::Token(agents(&api_server, &clock)),
            query_auth: QueryAuth::Token(AccessReviewer::new(client(&api_server), clock.clone())),
            ..Config::default()
        };
        let world = World::start(config, clock);
        Self { world, api_server }
    }

    async fn ask(&self, token: Option<&str>) -> Result<v1::Fleet, Status> {
        let request = showing(token, v1::GetFleetRequest {});
        let answer = self.world.query().get_fleet(request).await?;
        Ok(answer.into_inner())
    }
}

fn agents(api_server: &ApiServer, clock: &Clock) -> Reviewer {
    let client = client(api_server);
    Reviewer::new(client, clock.clone(), "nodegrace", "nodegrace-agent")
}

fn showing<T>(token: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        let token = format!("Bearer {token}").parse().expect("a header");
        request.metadata_mut().insert("authorization", token);
    }
    request
}

#[tokio::test(start_paused = true)]
async fn whoever_may_get_the_fleet_is_answered_and_others_are_told_why_not() {
    let guarded = Guarded::new();
    for token in ["alices", "programs"] {
        guarded.ask(Some(token)).await.expect(token);
    }
    for (token, code, words) in [
        (None, Code::Unauthenticated, "no token was shown"),
        (
            Some("made-up"),
            Code::Unauthenticated,
            "invalid bearer token",
        ),
        (
            Some("bobs"),
            Code::PermissionDenied,
            "bob may not get fleet.nodegrace.io",
        ),
        (
            Some("agents"),
            Code::PermissionDenied,
            "nodegrace-agent may not get fleet.nodegrace.io",
        ),
    ] {
        let status = guarded.ask(token).await.expect_err(words);
        assert_eq!(status.code(), code, "{token:?}: {status}");
        assert!(status.message().contains(words), "{token:?}: {status}");
    }
    let fleet = guarded.ask(Some("alices")).await.expect("she may");
    assert_eq!(fleet.refusals.expect("they are counted").queries, 4);
}

#[tokio::test(start_paused = true)]
async fn whoever_may_query_may_not_report_for_that() {
    let guarded = Guarded::new();
    for (token, words) in [
        ("alices", "is invalid for the target audiences"),
        ("programs", "shop:dashboard's and not"),
    ] {
        let refused = guarded.world.try_agent_with("node-1", Some(token)).await;
        let status = refused.err().expect("a refusal");
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.message().contains(words), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn reflection_is_guarded_too_and_health_is_open() {
    let Guarded { world, .. } = Guarded::new();
    let mut reflection = ServerReflectionClient::new(world.channel());
    let request = || tokio_stream::once(ServerReflectionRequest::default());
    let status = reflection.server_reflection_info(request()).await;
    assert_eq!(status.expect_err("a refusal").code(), Code::Unauthenticated);
    let shown = showing(Some("alices"), request());
    let answered = reflection.server_reflection_info(shown).await;
    answered.expect("she may look");

    let mut health = HealthClient::new(world.channel());
    let answer = health.check(HealthCheckRequest::default()).await;
    answer.expect("anybody may ask whether it is well");
    // Whatever a path means, it is not open by that.
    let mut odd = tonic::client::Grpc::new(world.channel());
    odd.ready().await.expect("a connection");
    let path = "/nodegrace.v1.Ingest/../nodegrace.v1.Query/GetFleet";
    let path = tonic::codegen::http::uri::PathAndQuery::from_static(path);
    let codec = tonic_prost::ProstCodec::<v1::GetFleetRequest, v1::Fleet>::default();
    let status = odd.unary(Request::new(v1::GetFleetRequest {}), path, codec);
    let status = status.await.expect_err("it leads nowhere");
    assert_eq!(status.code(), Code::Unimplemented);
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_when_its_reader_may_no_longer() {
    let guarded = Guarded::new();
    let world = &guarded.world;
    let mut agent = world
        .try_agent_with("node-1", Some("agents"))
        .await
        .expect("a stream");
    agent.beats(1, seconds(10)).await;
    let request = showing(Some("alices"), v1::WatchNodesRequest::default());
    let watch = QueryClient::new(world.channel()).watch_nodes(request).await;
    let mut watch = watch.expect("she may").into_inner();
    let watching = tokio::spawn(async move {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ends with a reason"),
                Err(status) => return status,
            }
        }
    });
    // Beyond two checks.
    agent.beats(130, seconds(10)).await;
    assert!(!watching.is_finished());

    let forbidden = people().forbidding("alice");
    guarded.api_server.set_access(forbidden);
    agent.beats(60, seconds(10)).await;
    assert!(watching.is_finished(), "it ended within ten minutes");
    let status = watching.await.expect("no panic");
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn many_questions_with_one_token_ask_the_api_server_once() {
    let guarded = Guarded::new();
    let ask = async || {
        let request = showing(Some("alices"), v1::ListNodesRequest::default());
        guarded.world.query().list_nodes(request).await
    };
    for answer in futures::future::join_all((0..50).map(|_| ask())).await {
        answer.expect("she may");
    }
    let log = guarded.api_server.request_log();
    let reviews = |of: &str| log.iter().filter(|one| one.path.contains(of)).count();
    assert_eq!(reviews("tokenreviews"), 1);
    assert_eq!(reviews("subjectaccessreviews"), 1);
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_down_those_who_were_known_are_answered_for_an_hour() {
    let guarded = Guarded::new();
    guarded.ask(Some("alices")).await.expect("she may");
    guarded.api_server.stop().await;
    let status = guarded
        .ask(Some("programs"))
        .await
        .expect_err("who is that");
    assert_eq!(status.code(), Code::Unavailable);
    for _ in 0..59 {
        guarded.world.pass(seconds(60)).await;
        guarded.ask(Some("alices")).await.expect("she is known");
    }
    guarded.world.pass(seconds(120)).await;
    let status = guarded.ask(Some("alices")).await.expect_err("too long ago");
    assert_eq!(status.code(), Code::Unavailable);

    guarded.api_server.start().await.expect("it starts");
    guarded.ask(Some("alices")).await.expect("she may");
    guarded.ask(Some("programs")).await.expect("it may");
}
