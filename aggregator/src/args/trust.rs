//! The flags that say who is believed.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use kube::config::{KubeConfigOptions, Kubeconfig};
use nodegrace_clock::Clock;
use rustls::crypto::ring;

use super::TlsArgs;
use crate::{AccessReviewer, AgentAuth, QueryAuth, Reviewer};

/// Who is believed.
#[derive(Args, Clone, Debug)]
pub struct TrustArgs {
    /// How agents show which node they are on; reports for another node are refused. Default: with TLS, certificate if there is
    /// --tls-client-ca, and else token beyond loopback; on loopback or without TLS, none.
    #[arg(long, env = "NODEGRACE_AGENT_AUTH", value_name = "HOW")]
    pub agent_auth: Option<AgentAuthKind>,

    /// Service account of the agents, for --agent-auth token: no other's tokens are believed.
    #[arg(
        long,
        env = "NODEGRACE_AGENT_ACCOUNT",
        value_name = "NAMESPACE/NAME",
        default_value = "nodegrace/nodegrace-agent",
        value_parser = account
    )]
    pub agent_account: (String, String),

    /// For --agent-auth token: where the API server says of which pod a token is and not on which node that is, as before
    /// Kubernetes 1.30, ask for the pod. This needs the right to get pods in the namespace of --agent-account. Default: such
    /// tokens are refused.
    #[arg(long, env = "NODEGRACE_AGENT_POD_LOOKUP")]
    pub agent_pod_lookup: bool,

    /// Who may query, by gRPC or HTTP; probes and agents' reports are not queries. Default: with TLS on an address beyond
    /// loopback, beyond-loopback; else none.
    #[arg(long, env = "NODEGRACE_QUERY_AUTH", value_name = "WHO")]
    pub query_auth: Option<QueryAuthKind>,

    /// kubeconfig that reaches the API server, which --agent-auth token and --query-auth ask whose tokens are and what their
    /// owners may, and which --watch-cluster watches. Default: the pod's service account when running in a pod; else $KUBECONFIG or ~/.kube/config.
    #[arg(long, env = "NODEGRACE_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

// The comments below are the help text: a URL stands there as people type it.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// How agents show which node they are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AgentAuthKind {
    /// Not at all: whoever reaches the port can report for every node.
    None,
    /// By a token of their pod's for the audience nodegrace, which the API server is asked about.
    Token,
    /// By a client certificate of --tls-client-ca with the URI nodegrace://node/NAME among its alternative names.
    Certificate,
}

/// Who may query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum QueryAuthKind {
    /// Whoever reaches the ports.
    None,
    /// Whoever comes from the loopback of the pod or machine, as kubectl port-forward does, which RBAC guards by
    /// pods/portforward; others as with token. Behind a proxy in the same pod everybody comes from loopback: say token there.
    BeyondLoopback,
    /// Whoever shows a token (authorization: Bearer TOKEN) of somebody whom RBAC lets get the resource fleet in the group
    /// nodegrace.io; for /metrics the path /metrics will do as well.
    Token,
}

/// What is asked of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds {
    pub(super) agents: AgentAuthKind,
    pub(super) queries: QueryAuthKind,
}

/// Where the two ports can be reached from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The gRPC port from this machine only.
    pub(super) grpc_is_local: bool,
    /// The HTTP port from this machine only.
    pub(super) http_is_local: bool,
}

impl TrustArgs {
    /// What is asked of agents and of those who query.
    ///
    /// # Errors
    /// When certificates are asked for that nobody could judge.
    pub(super) fn kinds(&self, tls: &TlsArgs, reach: Reach) -> Result<Kinds, &'static str> {
        let certificates = tls.tls_client_ca.is_some();
        let encrypted = tls.tls_cert.is_some();
        let agents = match self.agent_auth {
            Some(AgentAuthKind::Certificate) if !certificates => {
                return Err("--agent-auth certificate needs --tls-client-ca");
            }
            Some(kind) => kind,
            None if certificates => AgentAuthKind::Certificate,
            None if reach.grpc_is_local || !encrypted => AgentAuthKind::None,
            None => AgentAuthKind::Token,
        };
        let local = reach.grpc_is_local && reach.http_is_local;
        let queries = match self.query_auth {
            Some(kind) => kind,
            None if local || !encrypted => QueryAuthKind::None,
            None => QueryAuthKind::BeyondLoopback,
        };
        Ok(Kinds { agents, queries })
    }

    /// Makes of the kinds what judges. Nothing is reached yet.
    ///
    /// # Errors
    /// When it is not said how to reach the API server that is to be asked.
    pub(super) async fn judges(
        &self,
        kinds: Kinds,
        clock: &Clock,
    ) -> anyhow::Result<(AgentAuth, QueryAuth)> {
        let agents = match kinds.agents {
            AgentAuthKind::None => AgentAuth::Nothing,
            AgentAuthKind::Certificate => AgentAuth::Certificate,
            AgentAuthKind::Token => {
                let client = self.api_server().await;
                let client = client.context("--agent-auth token asks the API server")?;
                let (namespace, name) = &self.agent_account;
                let reviewer = Reviewer::new(client, clock.clone(), namespace, name);
                AgentAuth::Token(if self.agent_pod_lookup {
                    reviewer.with_pod_lookup()
                } else {
                    reviewer
                })
            }
        };
        let reviewer = async |flag: &'static str| {
            let client = self.api_server().await;
            let client = client.with_context(|| format!("{flag} asks the API server"))?;
            anyhow::Ok(AccessReviewer::new(client, clock.clone()))
        };
        let queries = match kinds.queries {
            QueryAuthKind::None => QueryAuth::Nothing,
            QueryAuthKind::BeyondLoopback => {
                QueryAuth::BeyondLoopback(reviewer("--query-auth beyond-loopback").await?)
            }
            QueryAuthKind::Token => QueryAuth::Token(reviewer("--query-auth token").await?),
        };
        Ok((agents, queries))
    }

    /// A client of the API server that is meant.
    async fn api_server(&self) -> anyhow::Result<kube::Client> {
        // kube asks rustls for the process's own. An error says that there is one already.
        let _: Result<(), _> = ring::default_provider().install_default();
        let options = KubeConfigOptions::default();
        let mut config = match &self.kubeconfig {
            Some(path) => {
                let about = || format!("kubeconfig {}", path.display());
                let file = Kubeconfig::read_from(path).with_context(about)?;
                let config = kube::Config::from_custom_kubeconfig(file, &options).await;
                config.with_context(about)?
            }
            None if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => {
                kube::Config::incluster().context("in-cluster configuration")?
            }
            None => kube::Config::from_kubeconfig(&options)
                .await
                .context("no --kubeconfig and not in a pod")?,
        };
        // Whoever asks has his own patience, and an agent that is told to come again does so by itself.
        config.default_retry = false;
        Ok(kube::Client::try_from(config)?)
    }
}

/// A namespace and a name, with a slash between them.
fn account(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("must be NAMESPACE/NAME".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{super::Args, *};

    fn kinds(flags: &[&str]) -> Kinds {
        let args = Args::try_parse_from([&["nodegrace-aggregator"], flags].concat());
        args.unwrap().kinds().unwrap()
    }

    const TLS: [&str; 2] = ["--tls-cert=a", "--tls-key=b"];
    const BEYOND: &str = "--listen=0.0.0.0:4850";

    #[test]
    fn beyond_loopback_agents_show_their_node_unless_told_otherwise() {
        use AgentAuthKind::{Certificate, None, Token};
        let by_certificate = "--tls-client-ca=c";
        for (flags, meant) in [
            (&[][..], None),
            (&TLS, None),
            (&[BEYOND, "--insecure"], None),
            (&[BEYOND, TLS[0], TLS[1]], Token),
            (&[BEYOND, TLS[0], TLS[1], by_certificate], Certificate),
            (&[TLS[0], TLS[1], by_certificate], Certificate),
            (&[BEYOND, TLS[0], TLS[1], "--agent-auth=none"], None),
            (&["--agent-auth=token"], Token),
        ] {
            assert_eq!(kinds(flags).agents, meant, "{flags:?}");
        }
    }

    #[test]
    fn beyond_loopback_people_show_that_they_may_query_unless_told_otherwise() {
        use QueryAuthKind::{BeyondLoopback, None, Token};
        let http = "--http=[::]:4851";
        for (flags, meant) in [
            (&[][..], None),
            (&TLS, None),
            (&[BEYOND, "--insecure"], None),
            (&[BEYOND, TLS[0], TLS[1]], BeyondLoopback),
            (&[http, TLS[0], TLS[1]], BeyondLoopback),
            (&[http, TLS[0], TLS[1], "--query-auth=none"], None),
            (&["--query-auth=token"], Token),
        ] {
            assert_eq!(kinds(flags).queries, meant, "{flags:?}");
        }
    }

    #[test]
    fn an_account_has_a_namespace_and_a_name() {
        assert_eq!(account("a/b"), Ok(("a".into(), "b".into())));
        for text in ["", "a", "/b", "a/"] {
            assert!(account(text).is_err(), "{text:?}");
        }
    }
}
