//! The flags that say who is believed.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use kube::config::{KubeConfigOptions, Kubeconfig};
use nodegrace_clock::Clock;
use rustls::crypto::ring;

use super::TlsArgs;
use crate::{AgentAuth, Reviewer};

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

    /// kubeconfig that reaches the API server, which --agent-auth token asks whose tokens are and --watch-cluster watches. Default: the pod's service
    /// account when running in a pod; else $KUBECONFIG or ~/.kube/config.
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

impl TrustArgs {
    /// What is asked of agents on a port that only this machine reaches, or others too.
    ///
    /// # Errors
    /// When certificates are asked for that nobody could judge.
    pub(super) fn kind(
        &self,
        tls: &TlsArgs,
        loopback: bool,
    ) -> Result<AgentAuthKind, &'static str> {
        let certificates = tls.tls_client_ca.is_some();
        let open = loopback || tls.tls_cert.is_none();
        match self.agent_auth {
            Some(AgentAuthKind::Certificate) if !certificates => {
                Err("--agent-auth certificate needs --tls-client-ca")
            }
            Some(kind) => Ok(kind),
            None if certificates => Ok(AgentAuthKind::Certificate),
            None if open => Ok(AgentAuthKind::None),
            None => Ok(AgentAuthKind::Token),
        }
    }

    /// Makes of the kind what judges. Nothing is reached yet.
    ///
    /// # Errors
    /// When it is not said how to reach the API server that is to be asked.
    pub(super) async fn agents(
        &self,
        kind: AgentAuthKind,
        clock: &Clock,
    ) -> anyhow::Result<AgentAuth> {
        Ok(match kind {
            AgentAuthKind::None => AgentAuth::Nothing,
            AgentAuthKind::Certificate => AgentAuth::Certificate,
            AgentAuthKind::Token => {
                let client = api_server(self.kubeconfig.as_deref())
                    .await
                    .context("--agent-auth token asks the API server")?;
                let (namespace, name) = &self.agent_account;
                AgentAuth::Token(Reviewer::new(client, clock.clone(), namespace, name))
            }
        })
    }
}

/// A client of the API server that is meant.
async fn api_server(kubeconfig: Option<&Path>) -> anyhow::Result<kube::Client> {
    // kube asks rustls for the process's own. An error says that there is one already.
    let _: Result<(), _> = ring::default_provider().install_default();
    let options = KubeConfigOptions::default();
    let mut config = match kubeconfig {
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

    #[test]
    fn beyond_loopback_agents_show_their_node_unless_told_otherwise() {
        use AgentAuthKind::{Certificate, None, Token};
        let beyond = "--listen=0.0.0.0:4850";
        let tls = ["--tls-cert=a", "--tls-key=b"];
        let by_certificate = "--tls-client-ca=c";
        for (flags, meant) in [
            (&[][..], None),
            (&tls, None),
            (&[beyond, "--insecure"], None),
            (&[beyond, tls[0], tls[1]], Token),
            (&[beyond, tls[0], tls[1], by_certificate], Certificate),
            (&[tls[0], tls[1], by_certificate], Certificate),
            (&[beyond, tls[0], tls[1], "--agent-auth=none"], None),
            (&["--agent-auth=token"], Token),
        ] {
            let args = Args::try_parse_from([&["nodegrace-aggregator"], flags].concat());
            assert_eq!(args.unwrap().agent_auth(), Ok(meant), "{flags:?}");
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
