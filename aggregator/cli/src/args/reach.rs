//! Where the aggregator is, as typed.

use std::{path::PathBuf, time::Duration};

use clap::Args;

/// Where the aggregator is, and who asks it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Where to ask")]
pub struct ReachArgs {
    /// Address of the aggregator's gRPC API, instead of a port-forward through the kubeconfig: HOST:PORT or http://HOST:PORT for
    /// plain text, https://HOST:PORT for TLS.
    #[arg(
        long,
        global = true,
        env = "NODEGRACE_ADDRESS",
        value_name = "HOST:PORT|URL"
    )]
    pub address: Option<String>,

    /// Path of the kubeconfig. Default: $KUBECONFIG, else ~/.kube/config.
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Context of the kubeconfig. Default: the current one.
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,

    /// Namespace the aggregator runs in.
    #[arg(
        short,
        long,
        global = true,
        default_value = "nodegrace",
        value_name = "NAME"
    )]
    pub namespace: String,

    /// Bearer token to show to the aggregator. The kubeconfig's own is never shown to it: whoever has that is you.
    #[arg(
        long,
        global = true,
        env = "NODEGRACE_TOKEN",
        hide_env_values = true,
        conflicts_with = "token_file",
        value_name = "TOKEN"
    )]
    pub token: Option<String>,

    /// File with the bearer token.
    #[arg(long, global = true, env = "NODEGRACE_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// File with the authorities (PEM) that may have signed the aggregator's certificate. Default: with --address https://..., those
    /// of this system; through a port-forward the API server vouches for the pod, and the certificate is not looked at.
    #[arg(long, global = true, env = "NODEGRACE_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Name that the aggregator's certificate must be for. Default: the host of --address; nodegrace.NAMESPACE.svc through a
    /// port-forward.
    #[arg(long, global = true, value_name = "NAME")]
    pub server_name: Option<String>,

    /// Takes any certificate: whoever is on the way can answer, and reads the token.
    #[arg(long, global = true, conflicts_with = "ca")]
    pub insecure_skip_tls_verify: bool,

    /// How long one step may take: reaching the API server, reaching the aggregator, each question.
    #[arg(
        long,
        global = true,
        default_value = "30s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub request_timeout: Duration,
}
