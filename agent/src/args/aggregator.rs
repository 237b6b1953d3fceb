//! The flags that say where the aggregator is, and how agent and aggregator know each other.

use std::{net::IpAddr, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use http::Uri;

use crate::{Aggregators, Timeouts, TlsFiles};

/// In place of a URL: there is no aggregator.
const NONE: &str = "none";

// The comments below are the help text: URLs stand there as people type them.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// Where the aggregator is, and how the two know each other.
#[derive(Args, Clone, Debug)]
pub struct AggregatorArgs {
    /// URL of the aggregator's gRPC port: https://HOST:PORT, or http://HOST:PORT without TLS. A DNS name is looked up every 30s,
    /// and every address behind it is reported to as a replica of its own: give the name of a headless Service.
    /// "none": nothing is reported; for those who only want --metrics-listen.
    #[arg(
        long = "aggregator",
        env = "NODEGRACE_AGGREGATOR",
        value_name = "URL",
        default_value = "http://127.0.0.1:4850"
    )]
    pub url: String,

    /// PEM file with the authorities that sign the aggregators' certificates, read again for every connection. Default: those of
    /// the system.
    #[arg(long, env = "NODEGRACE_AGGREGATOR_CA", value_name = "FILE")]
    aggregator_ca: Option<PathBuf>,

    /// Name that the aggregators' certificates must be for. Default: the host in --aggregator, whichever address is behind it.
    #[arg(long, env = "NODEGRACE_AGGREGATOR_SERVER_NAME", value_name = "NAME")]
    aggregator_server_name: Option<String>,

    /// PEM file with the certificate that the agent shows, and the intermediate ones after it, for aggregators with
    /// --agent-auth certificate. Its alternative names must hold the URI nodegrace://node/NAME with this node's name. Read again
    /// for every connection. Default: none.
    #[arg(
        long,
        env = "NODEGRACE_CLIENT_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    client_cert: Option<PathBuf>,

    /// PEM file with the key of --client-cert.
    #[arg(
        long,
        env = "NODEGRACE_CLIENT_KEY",
        value_name = "FILE",
        requires = "client_cert"
    )]
    client_key: Option<PathBuf>,

    /// File with the bearer token that the agent shows, for aggregators with --agent-auth token: a projected one of the pod's
    /// service account, for the audience nodegrace. Read again as it changes, and sent in plain text to no other machine, unless
    /// told --insecure. Default: none.
    #[arg(long, env = "NODEGRACE_TOKEN_FILE", value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,

    /// Send --token-file in plain text, to whoever is on the way to the aggregator.
    #[arg(long, env = "NODEGRACE_INSECURE")]
    insecure: bool,
}

impl AggregatorArgs {
    /// The aggregators that are meant. None is reached yet.
    ///
    /// # Errors
    /// When the URL is none, a file cannot be used, or a flag that is about TLS comes with a URL without; when a token would be
    /// read on the way.
    pub fn aggregators(&self, timeouts: &Timeouts) -> anyhow::Result<Aggregators> {
        let about_tls = [
            ("--aggregator-ca", self.aggregator_ca.is_some()),
            (
                "--aggregator-server-name",
                self.aggregator_server_name.is_some(),
            ),
            ("--client-cert", self.client_cert.is_some()),
        ];
        if self.url == NONE {
            return Ok(Aggregators::none());
        }
        if !self.url.starts_with("https:")
            && let Some((flag, _)) = about_tls.into_iter().find(|(_, given)| *given)
        {
            anyhow::bail!("{flag} is about TLS: --aggregator must be https://HOST:PORT");
        }
        anyhow::ensure!(
            self.token_file.is_none() || self.insecure || !self.is_read_on_the_way(),
            "--token-file is for https: say --insecure if the token is to be sent in plain text"
        );
        let tls = TlsFiles {
            authorities: self.aggregator_ca.clone(),
            server_name: self.aggregator_server_name.clone(),
            identity: self.client_cert.clone().zip(self.client_key.clone()),
        };
        Aggregators::at(&self.url, &tls, timeouts).context("--aggregator")
    }

    /// Whether what is sent leaves this machine in plain text.
    fn is_read_on_the_way(&self) -> bool {
        let url: Result<Uri, _> = self.url.parse();
        url.is_ok_and(|url| {
            let host = url.host().unwrap_or_default();
            let address = host.trim_start_matches('[').trim_end_matches(']');
            let here = address
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback());
            url.scheme_str() == Some("http") && !here && host != "localhost"
        })
    }
}
