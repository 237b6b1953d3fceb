//! Agents and an aggregator that know each other by certificates or tokens, and what strangers are told meanwhile.

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use nodegrace_sim_cluster::{
    ApiServer,
    api::{Access, Review, Store},
    kubeconfig::{Credentials, kubeconfig},
};
use nodegrace_tests::{
    authority::Authority,
    process::{Process, run_to_end},
    running::{Aggregator, Written, written},
};

use super::siege::account;

/// What agents call the aggregator by, whichever address it has.
const NAME: &str = "nodegrace-ingest.nodegrace.svc";

/// An authority, and the files that a cluster would have from it.
struct Cluster {
    authority: Authority,
    ca: Written,
}

/// A certificate and its key in files.
struct Identity {
    certificate: Written,
    key: Written,
}

impl From<(String, String)> for Identity {
    fn from((certificate, key): (String, String)) -> Self {
        Self {
            certificate: written(&certificate),
            key: written(&key),
        }
    }
}

impl Identity {
    /// The flags with which an agent shows it.
    fn shown(&self) -> [&str; 4] {
        let (certificate, key) = (&self.certificate.path, &self.key.path);
        ["--client-cert", certificate, "--client-key", key]
    }
}

impl Cluster {
    fn new() -> Self {
        let authority = Authority::new();
        let ca = written(&authority.pem());
        Self { authority, ca }
    }

    /// An aggregator with TLS, and with what these flags say of agents.
    async fn aggregator(&self, agents: &[&str]) -> Aggregator {
        let server = Identity::from(self.authority.server_pem(NAME));
        let tls = [
            "--tls-cert",
            &server.certificate.path,
            "--tls-key",
            &server.key.path,
        ];
        Aggregator::start_encrypted(NAME, &self.ca, &[&tls, agents].concat()).await
    }

    /// The flags with which an agent trusts its authority, and in the aggregator's name nobody else.
    fn trusted(&self) -> [&str; 4] {
        let ca = &self.ca.path;
        ["--aggregator-ca", ca, "--aggregator-server-name", NAME]
    }

    /// The certificate of a node's agent.
    fn identity(&self, node: &str) -> Identity {
        self.authority.agent_pem(node).into()
    }
}

/// The agents of a test: they see nothing of their nodes but what the machine of the test shows.
struct Agents {
    url: String,
    kubeconfig: Written,
}

impl Agents {
    fn of(aggregator: &Aggregator) -> Self {
        let nobody = ([127, 0, 0, 1], 1).into();
        Self {
            url: format!("https://{}", aggregator.address),
            kubeconfig: written(&kubeconfig(nobody, &Credentials::default())),
        }
    }

    /// Starts the agent of a node.
    fn start(&self, node: &str, args: &[&str]) -> Process {
        self.calling(&self.url, node, args)
    }

    /// Starts the agent of a node that takes this URL for the aggregator's.
    fn calling(&self, url: &str, node: &str, args: &[&str]) -> Process {
        let api_server = ["--kubeconfig", &self.kubeconfig.path];
        Aggregator::agent_calling(url, node, &[&api_server[..], args].concat())
    }
}

/// Waits for a sample of a node that is newer than the newest one, and counts the streams refused until now.
async fn goes_on(aggregator: &Aggregator, node: &str) -> u64 {
    let newest = |node: &v1::Node| {
        let sample = node.latest_sample.as_ref();
        sample.map_or(0, |sample| sample.sequence_number)
    };
    let known = aggregator.until(node, |node| newest(node) > 0).await;
    let before = newest(&known);
    aggregator.until(node, |node| newest(node) > before).await;
    let mut client = QueryClient::new(aggregator.channel());
    let fleet = client.get_fleet(v1::GetFleetRequest {}).await;
    let history = fleet.expect("a fleet").into_inner().history;
    history.expect("it is always there").rejected_streams
}

#[tokio::test]
async fn strangers_are_refused_and_told_why_while_an_honest_agent_goes_on() {
    let (ours, theirs) = (Cluster::new(), Cluster::new());
    let aggregator = ours.aggregator(&["--tls-client-ca", &ours.ca.path]).await;
    let agents = Agents::of(&aggregator);
    let [first, second, forged] = [
        ours.identity("node-0"),
        ours.identity("node-1"),
        theirs.identity("node-0"),
    ];
    let known = ours.trusted();
    let honest = agents.start("node-0", &[known, first.shown()].concat());
    assert_eq!(goes_on(&aggregator, "node-0").await, 0);

    let other_name = [
        "--aggregator-ca",
        &ours.ca.path,
        "--aggregator-server-name",
        "evil",
    ];
    let other_node = "an agent of node node-1 must not report for node node-0";
    for (args, words) in [
        (known.to_vec(), "no client certificate was shown"),
        ([known, second.shown()].concat(), other_node),
        ([known, forged.shown()].concat(), "received fatal alert"),
        // The other way round: an aggregator that an agent must not believe.
        (
            [theirs.trusted(), first.shown()].concat(),
            "invalid peer certificate",
        ),
        (
            [other_name, first.shown()].concat(),
            "certificate not valid for name",
        ),
    ] {
        agents.start("node-0", &args).line(words).await;
    }
    let plain = format!("http://{}", aggregator.address);
    let mut plain = agents.calling(&plain, "node-0", &[]);
    plain.line("no stream to the aggregator").await;
    let refused = goes_on(&aggregator, "node-0").await;
    assert!(refused >= 2, "{refused} streams refused");
    assert!(honest.terminate().await.success());
}

#[tokio::test]
async fn an_agent_is_known_by_the_token_of_its_pod_and_no_other_is_taken_for_it() {
    let cluster = Cluster::new();
    let clock = Clock::real();
    let api_server = ApiServer::new(Store::new(clock.clone(), 1), clock);
    let reviewer = "system:serviceaccount:nodegrace:nodegrace-aggregator";
    api_server.set_access(
        Access::closed()
            .with_token("the-aggregators-own", reviewer)
            .permit_review(reviewer, Review::Token)
            .with_account("of-node-0", account("node-0"))
            .with_account("of-node-1", account("node-1")),
    );
    let tls = Some(cluster.authority.server());
    let address = api_server.listen(([127, 0, 0, 1], 0).into(), tls).await;
    let credentials = Credentials {
        token: Some("the-aggregators-own".into()),
        authority: Some(cluster.authority.pem()),
        ..Credentials::default()
    };
    let address = address.expect("the API server listens");
    let own = written(&kubeconfig(address, &credentials));
    let auth = ["--agent-auth", "token", "--kubeconfig", &own.path];
    let aggregator = cluster.aggregator(&auth).await;
    let agents = Agents::of(&aggregator);
    let [first, second] = ["of-node-0\n", "of-node-1\n"].map(written);
    let known = cluster.trusted();
    let with = |token| [&known[..], &["--token-file", token]].concat();
    let honest = agents.start("node-0", &with(&first.path));
    assert_eq!(goes_on(&aggregator, "node-0").await, 0);

    let other_node = "an agent of node node-1 must not report for node node-0";
    agents
        .start("node-0", &with(&second.path))
        .line(other_node)
        .await;
    agents
        .start("node-0", &known)
        .line("no token was shown")
        .await;
    assert!(goes_on(&aggregator, "node-0").await >= 2);
    assert!(honest.terminate().await.success());
    api_server.stop().await;
}

#[test]
fn what_would_be_unsafe_or_is_no_use_is_refused_at_the_start() {
    let cluster = Cluster::new();
    let server = Identity::from(cluster.authority.server_pem(NAME));
    let certificate = ["--tls-cert", &server.certificate.path];
    let tls = [certificate, ["--tls-key", &server.key.path]].concat();
    let swapped = [
        "--tls-cert",
        &server.key.path,
        "--tls-key",
        &server.key.path,
    ];
    let beyond = ["--listen", "0.0.0.0:0"];
    for (program, args, words) in [
        ("nodegrace-aggregator", beyond.to_vec(), "give --tls-cert"),
        (
            "nodegrace-aggregator",
            [&beyond, &tls[..]].concat(),
            "--agent-auth token asks the API server: no --kubeconfig",
        ),
        (
            "nodegrace-aggregator",
            swapped.to_vec(),
            "no PEM certificate",
        ),
        (
            "nodegrace-agent",
            vec!["--node-name", "a", "--aggregator-ca", &cluster.ca.path],
            "--aggregator must be https",
        ),
        (
            "nodegrace-agent",
            vec![
                "--node-name",
                "a",
                "--aggregator",
                "https://a",
                "--aggregator-ca",
                &server.key.path,
            ],
            "no PEM certificate",
        ),
    ] {
        let ended = run_to_end(program, &args);
        assert_eq!(ended.status.code(), Some(64), "{args:?}");
        let lines: Vec<_> = ended.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains(words), "{lines:?}");
    }
}
