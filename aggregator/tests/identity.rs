//! Agents that show tokens: each may report for its own node and for no other, whatever the API server does meanwhile.

use nodegrace_aggregator::{AgentAuth, Config, Reviewer};
use nodegrace_clock::Clock;
use nodegrace_sim_cluster::{ApiServer, api::Account};
use tonic::{Code, Status};

use crate::kit::{
    World, a_clock,
    api_server::{access, agent_in_pod, agent_on, api_server, client, put_pod},
    seconds,
};

/// An aggregator that takes agents by their tokens, and the API server it asks.
struct Guarded {
    world: World,
    api_server: ApiServer,
}

impl Guarded {
    fn new(accounts: &[(&str, Account)]) -> Self {
        Self::on(a_clock(), accounts)
    }

    fn on(clock: Clock, accounts: &[(&str, Account)]) -> Self {
        let api_server = api_server(&clock, accounts);
        Self::asking(api_server, clock, |reviewer| reviewer)
    }

    /// An aggregator that asks this API server, as far as `how` says.
    fn asking(api_server: ApiServer, clock: Clock, how: fn(Reviewer) -> Reviewer) -> Self {
        let agents = Reviewer::new(
            client(&api_server),
            clock.clone(),
            "nodegrace",
            "nodegrace-agent",
        );
        let agents = how(agents);
        let config = Config {
            agent_auth: AgentAuth::Token(agents),
            ..Config::default()
        };
        let world = World::start(config, clock);
        Self { world, api_server }
    }

    /// What an agent of `node` with this token gets for its first batch.
    async fn refusal(&self, node: &str, token: Option<&str>) -> Option<Status> {
        match self.world.try_agent_with(node, token).await {
            Err(status) => Some(status),
            Ok(mut agent) => {
                let batch = agent.beat();
                agent.send(batch).await.err()
            }
        }
    }

    /// How often the API server was asked.
    fn reviews(&self) -> usize {
        let log = self.api_server.request_log();
        let reviews = log.iter().filter(|one| one.path.contains("tokenreviews"));
        reviews.count()
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_shows_nothing_of_worth_is_refused_and_an_honest_agent_goes_on() {
    let other_audience = Account {
        audiences: vec!["https://kubernetes.default.svc".to_owned()],
        ..agent_on("node-1")
    };
    let other_account = Account {
        name: ("shop".to_owned(), "cart".to_owned()),
        ..agent_on("node-1")
    };
    let expired = Account {
        expires: Some(seconds(0)),
        ..agent_on("node-1")
    };
    let no_pod = Account {
        extra: [].into(),
        ..agent_on("node-1")
    };
    let guarded = Guarded::new(&[
        ("honest", agent_on("node-1")),
        ("neighbour", agent_on("node-2")),
        ("other-audience", other_audience),
        ("other-account", other_account),
        ("expired", expired),
        ("no-pod", no_pod),
    ]);
    let mut honest = guarded
        .world
        .try_agent_with("node-1", Some("honest"))
        .await
        .expect("a stream");
    honest.beats(2, seconds(10)).await;
    for (token, code, words) in [
        (None, Code::Unauthenticated, "no token was shown"),
        (Some(""), Code::Unauthenticated, "no token was shown"),
        (
            Some("unknown"),
            Code::Unauthenticated,
            "invalid bearer token",
        ),
        (Some("expired"), Code::Unauthenticated, "has expired"),
        (
            Some("other-audience"),
            Code::Unauthenticated,
            "token audiences",
        ),
        (
            Some("other-account"),
            Code::Unauthenticated,
            "shop:cart's and not",
        ),
        (
            Some("no-pod"),
            Code::Unauthenticated,
            "node-name is missing",
        ),
        (
            Some("neighbour"),
            Code::PermissionDenied,
            "an agent of node node-2 must not report for node node-1",
        ),
    ] {
        let status = guarded.refusal("node-1", token).await.expect(words);
        assert_eq!(status.code(), code, "{token:?}: {status}");
        assert!(status.message().contains(words), "{token:?}: {status}");
    }
    honest.beats(2, seconds(10)).await;
    let node = guarded.world.node("node-1").await;
    let heartbeats = node.channels.iter().map(|channel| channel.heartbeats);
    assert_eq!(heartbeats.sum::<u64>(), 4);
    let history = guarded.world.fleet().await.history.expect("it is there");
    assert_eq!(history.rejected_streams, 8);
}

#[tokio::test(start_paused = true)]
async fn anothers_batch_that_was_read_on_the_way_is_of_no_use() {
    let guarded = Guarded::new(&[
        ("first", agent_on("node-1")),
        ("second", agent_on("node-2")),
    ]);
    let world = &guarded.world;
    let mut first = world
        .try_agent_with("node-1", Some("first"))
        .await
        .expect("a stream");
    let batch = first.beat();
    first.send(batch.clone()).await.expect("an ack");
    let mut second = world
        .try_agent_with("node-2", Some("second"))
        .await
        .expect("a stream");
    let status = second.send(batch).await.expect_err("a refusal");
    assert_eq!(status.code(), Code::PermissionDenied);
    first.beats(1, seconds(10)).await;
}

#[tokio::test(start_paused = true)]
async fn many_streams_with_one_token_are_one_review() {
    let guarded = Guarded::new(&[("token", agent_on("node-1"))]);
    let agents = (0..16).map(|_| guarded.world.try_agent_with("node-1", Some("token")));
    for agent in futures::future::join_all(agents).await {
        agent.expect("a stream");
    }
    assert_eq!(guarded.reviews(), 1);
    for _ in 0..50 {
        let refused = guarded.refusal("node-1", Some("unknown")).await;
        assert_eq!(refused.expect("a refusal").code(), Code::Unauthenticated);
    }
    assert_eq!(guarded.reviews(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_token_opens_a_few_streams_and_no_more_until_one_ends() {
    let guarded = Guarded::new(&[
        ("greedy", agent_on("node-1")),
        ("modest", agent_on("node-2")),
    ]);
    let mut open = Vec::new();
    for _ in 0..16 {
        let agent = guarded.world.try_agent_with("node-1", Some("greedy"));
        open.push(agent.await.expect("a stream"));
    }
    let refused = guarded.refusal("node-1", Some("greedy")).await;
    let refused = refused.expect("a refusal");
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(
        refused.message(),
        "too many streams of node node-1 are open"
    );
    assert!(guarded.refusal("node-2", Some("modest")).await.is_none());
    open.pop();
    guarded.world.pass(seconds(1)).await;
    assert!(guarded.refusal("node-1", Some("greedy")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_takes_its_stream_with_it() {
    let clock = a_clock();
    let expires = Some(clock.now() + seconds(900));
    let guarded = Guarded::on(
        clock,
        &[(
            "token",
            Account {
                expires,
                ..agent_on("node-1")
            },
        )],
    );
    let mut agent = guarded
        .world
        .try_agent_with("node-1", Some("token"))
        .await
        .expect("a stream");
    agent.beats(89, seconds(10)).await;
    let mut end = None;
    for _ in 0..60 {
        guarded.world.pass(seconds(10)).await;
        let batch = agent.beat();
        end = agent.send(batch).await.err();
        if end.is_some() {
            break;
        }
    }
    let status = end.expect("it ends within ten minutes");
    assert_eq!(status.code(), Code::Unauthenticated);
    assert!(status.message().contains("has expired"), "{status}");
}

#[tokio::test(start_paused = true)]
async fn while_the_api_server_is_down_known_agents_go_on_and_others_come_again() {
    let guarded = Guarded::new(&[("known", agent_on("node-1")), ("new", agent_on("node-2"))]);
    let mut known = guarded
        .world
        .try_agent_with("node-1", Some("known"))
        .await
        .expect("a stream");
    guarded.api_server.stop().await;
    let status = guarded
        .refusal("node-2", Some("new"))
        .await
        .expect("a refusal");
    assert_eq!(status.code(), Code::Unavailable);
    // Beyond the next check, and short of what is forgiven.
    known.beats(100, seconds(30)).await;

    guarded.api_server.start().await.expect("it starts");
    assert!(guarded.refusal("node-2", Some("new")).await.is_none());
    // What has changed meanwhile shows at the next check.
    guarded
        .api_server
        .set_access(access(&[("new", agent_on("node-2"))]));
    let mut end = None;
    for _ in 0..30 {
        guarded.world.pass(seconds(60)).await;
        let batch = known.beat();
        end = end.or(known.send(batch).await.err());
        if end.is_some() {
            break;
        }
    }
    assert_eq!(
        end.expect("it is known no more").code(),
        Code::Unauthenticated
    );
}

#[tokio::test(start_paused = true)]
async fn where_tokens_name_no_node_their_pods_are_looked_up_when_that_is_wanted_and_only_then() {
    let clock = a_clock();
    let api_server = api_server(&clock, &[]);
    let uid = put_pod(&api_server, "node-1");
    put_pod(&api_server, "node-2");
    let old = access(&[
        ("right", agent_in_pod("node-1", &uid)),
        ("of-a-pod-before", agent_in_pod("node-2", "gone")),
        ("of-no-such-pod", agent_in_pod("node-3", &uid)),
    ]);
    api_server.set_access(old.naming_no_nodes());

    let plain = Guarded::asking(api_server.clone(), clock.clone(), |reviewer| reviewer);
    let refused = plain.refusal("node-1", Some("right")).await;
    let refused = refused.expect("nobody has looked");
    assert_eq!(refused.code(), Code::Unauthenticated);
    assert!(
        refused.message().contains("--agent-pod-lookup"),
        "{refused}"
    );

    let looking = Guarded::asking(api_server, clock, Reviewer::with_pod_lookup);
    let right = looking.world.try_agent_with("node-1", Some("right"));
    let mut right = right.await.expect("a stream");
    right.beats(2, seconds(10)).await;
    for (node, token, words) in [
        ("node-2", "right", "an agent of node node-1 must not"),
        ("node-2", "of-a-pod-before", "another pod now"),
        ("node-3", "of-no-such-pod", "which is gone"),
    ] {
        let status = looking.refusal(node, Some(token)).await.expect(words);
        assert!(status.message().contains(words), "{status}");
    }
    right.beats(2, seconds(10)).await;
}
