//! The command line as typed, and its translation into a [`Config`].

mod cluster;
mod store;
mod thresholds;
mod tls;
mod trust;

use std::{net::SocketAddr, time::Duration};

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};
use nodegrace_clock::Clock;
use nodegrace_core::{ControllerSettings, PassDuration, SettingsError};
use tracing_subscriber::EnvFilter;

use self::trust::{AgentAuthKind, Kinds, QueryAuthKind, Reach};
pub use self::{
    cluster::ClusterArgs, store::StoreArgs, thresholds::ThresholdArgs, tls::TlsArgs,
    trust::TrustArgs,
};
use crate::{AgentAuth, ApiServer, Config, Limits, MetricsNodes, QueryAuth};

/// Takes what nodegrace agents measure and answers which nodes are near the controller's timeout.
///
/// With --data-dir its history survives restarts; without, it is in memory only. Beyond loopback it listens with --tls-cert and
/// --tls-key, or when told --insecure.
#[derive(Clone, Debug, Parser)]
#[command(name = "nodegrace-aggregator", version)]
pub struct Args {
    /// Address of the gRPC API: agents report to it, people query it.
    #[arg(
        long,
        env = "NODEGRACE_LISTEN",
        default_value = "127.0.0.1:4850",
        value_name = "IP:PORT"
    )]
    pub listen: SocketAddr,

    /// Address of the HTTP server with the web page, /api/v1, /metrics and, open to everybody, /livez and /readyz.
    #[arg(
        long,
        env = "NODEGRACE_HTTP",
        default_value = "127.0.0.1:4851",
        value_name = "IP:PORT"
    )]
    pub http: SocketAddr,

    /// Which nodes have series of their own at /metrics: all, the N most endangered, or none. Some 40 series each; the totals
    /// are always of all.
    #[arg(
        long,
        env = "NODEGRACE_METRICS_NODES",
        default_value = "top=1000",
        value_name = "all|top=N|none"
    )]
    pub metrics_nodes: MetricsNodes,

    /// How connections are encrypted.
    #[command(flatten)]
    pub tls: TlsArgs,

    /// Who is believed.
    #[command(flatten)]
    pub trust: TrustArgs,

    /// Whether the cluster is watched.
    #[command(flatten)]
    pub cluster: ClusterArgs,

    /// Listen beyond loopback without TLS: whoever is on the way reads along.
    #[arg(long, env = "NODEGRACE_INSECURE")]
    pub insecure: bool,

    /// Nodes that are kept at most, some 30 KiB each; reports of others are refused. The default is that of
    /// the largest cluster that was ever shown, and some.
    #[arg(
        long,
        env = "NODEGRACE_MAX_NODES",
        default_value_t = Limits::default().nodes,
        value_name = "NODES"
    )]
    pub max_nodes: usize,

    /// The controller's --node-monitor-grace-period: a node without a heartbeat for longer is marked Unknown. The default is
    /// that of Kubernetes 1.32 and later; up to 1.31 it was 40s.
    #[arg(
        long,
        env = "NODEGRACE_GRACE_PERIOD",
        default_value = "50s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub grace_period: Duration,

    /// The controller's --node-monitor-period: the pause between two looks at the nodes. The default is that of every
    /// Kubernetes version.
    #[arg(
        long,
        env = "NODEGRACE_MONITOR_PERIOD",
        default_value = "5s",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub monitor_period: Duration,

    /// How long the controller's pass over all nodes takes, which adds to the monitor period. The default is that of an
    /// idle controller with a few hundred nodes.
    #[arg(
        long,
        env = "NODEGRACE_PASS_DURATION",
        default_value = "2500us",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub pass_duration: Duration,

    /// How long it takes at most, where passes differ: all durations from --pass-duration to this are taken for equally
    /// likely. The default is --pass-duration.
    #[arg(
        long,
        env = "NODEGRACE_LONGEST_PASS",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub longest_pass: Option<Duration>,

    /// The controller is of Kubernetes 1.37 or later: before it marks a node it reads the Lease from the API server, so that a
    /// late watch of its own flips none.
    #[arg(long, env = "NODEGRACE_LIVE_LEASE_READ")]
    pub live_lease_read: bool,

    /// What to log: a level, or directives such as `info,nodegrace_aggregator=debug`.
    #[arg(long, env = "NODEGRACE_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    pub log: String,

    /// How log lines are written.
    #[arg(
        long,
        env = "NODEGRACE_LOG_FORMAT",
        default_value = "text",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,

    /// Where history is kept.
    #[command(flatten)]
    pub store: StoreArgs,

    /// Where one verdict ends and the next begins.
    #[command(flatten)]
    pub thresholds: ThresholdArgs,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for collectors.
    Json,
}

impl Args {
    /// The command line and its environment, checked, and what they mean.
    ///
    /// # Errors
    /// For anything that makes no sense, and for --help and --version, which are answers rather than errors.
    pub fn checked() -> Result<(Self, Config), clap::Error> {
        let args = Self::try_parse()?;
        let config = args.config()?;
        Ok((args, config))
    }

    fn kinds(&self) -> Result<Kinds, &'static str> {
        let reach = Reach {
            grpc_is_local: self.listen.ip().is_loopback(),
            http_is_local: self.http.ip().is_loopback(),
        };
        self.trust.kinds(&self.tls, reach)
    }

    /// How agents show which node they are on, and who may query, for a configuration of these arguments. Nothing is reached yet.
    ///
    /// # Errors
    /// When it is not said how to reach the API server that is to be asked.
    pub async fn judges(&self, clock: &Clock) -> anyhow::Result<(AgentAuth, QueryAuth)> {
        let kinds = self.kinds().map_err(anyhow::Error::msg)?;
        let open = |address: SocketAddr| !address.ip().is_loopback() && self.tls.tls_cert.is_none();
        let shows = |tokens: bool, flag: &str, address: SocketAddr| {
            if tokens && open(address) {
                tracing::warn!(%address, flag, "tokens come in plain text: whoever is on the way can use them");
            }
        };
        let agents = kinds.agents == AgentAuthKind::Token;
        shows(agents, "--agent-auth", self.listen);
        let queries = kinds.queries != QueryAuthKind::None;
        shows(queries, "--query-auth", self.listen);
        shows(queries, "--query-auth", self.http);
        self.trust.judges(kinds, clock).await
    }

    /// The API server whose cluster is to be watched. Absent: none. Nothing is reached yet.
    ///
    /// # Errors
    /// When it is to be watched and is not said how to reach it.
    pub async fn watched_cluster(&self) -> anyhow::Result<Option<ApiServer>> {
        self.cluster
            .api_server(self.trust.kubeconfig.as_deref())
            .await
    }

    /// What the arguments mean, but for [`Args::judges`] and [`Args::watched_cluster`].
    ///
    /// # Errors
    /// For values that make no sense together or by themselves, and for files that are not what they should be.
    pub fn config(&self) -> Result<Config, clap::Error> {
        let tls = self.tls.tls().map_err(refusal)?;
        for (flag, address) in [("--listen", self.listen), ("--http", self.http)] {
            if !address.ip().is_loopback() && tls.is_none() && !self.insecure {
                return Err(refusal(format_args!(
                    "{flag} {address} can be reached from other machines: give --tls-cert and --tls-key, or say --insecure if \
                     it is meant to be without TLS"
                )));
            }
        }
        self.kinds().map_err(refusal)?;
        if self.max_nodes == 0 {
            return Err(refusal("--max-nodes must be at least 1"));
        }
        let controller = ControllerSettings {
            pass: PassDuration {
                shortest: self.pass_duration,
                longest: self.longest_pass.unwrap_or(self.pass_duration),
            },
            live_lease_read: self.live_lease_read,
            ..ControllerSettings::default().with_periods(self.grace_period, self.monitor_period)
        };
        controller.validate().map_err(|error| {
            let flags = match error {
                SettingsError::NoGracePeriod => "--grace-period",
                SettingsError::MonitorPeriodTooShort => "--monitor-period",
                SettingsError::GraceBelowMonitorPeriod => "--grace-period, --monitor-period",
                SettingsError::PassBoundsSwapped => "--pass-duration, --longest-pass",
                SettingsError::TooLong => {
                    "--grace-period, --monitor-period, --pass-duration, --longest-pass"
                }
            };
            refusal(format_args!("{flags}: {error}"))
        })?;
        Ok(Config {
            fleet: nodegrace_core::Config {
                controller,
                thresholds: self.thresholds.thresholds().map_err(refusal)?,
                ..nodegrace_core::Config::default()
            },
            store: self.store.store(),
            tls,
            limits: Limits {
                nodes: self.max_nodes,
                ..Limits::default()
            },
            metrics_nodes: self.metrics_nodes,
            ..Config::default()
        })
    }
}

fn refusal(problem: impl std::fmt::Display) -> clap::Error {
    Args::command().error(ErrorKind::ValueValidation, problem)
}

fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::builder()
        .parse(text)
        .map(|_| text.to_owned())
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Config, String> {
        Args::try_parse_from([&["nodegrace-aggregator"], arguments].concat())
            .and_then(|args| args.config())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_kubernetes_and_of_the_core() {
        let config = parsed(&[]).expect("the defaults are valid");
        assert_eq!(config.fleet, nodegrace_core::Config::default());
        assert_eq!(config.metrics_nodes, MetricsNodes::default());
    }

    #[test]
    fn a_controller_is_described_by_its_passes_and_its_version_too() {
        let arguments = [
            "--pass-duration=1s",
            "--longest-pass=3s",
            "--live-lease-read",
        ];
        let controller = parsed(&arguments).expect("valid").fleet.controller;
        assert!(controller.live_lease_read);
        let interval = (Duration::from_secs(6), Duration::from_secs(8));
        assert_eq!(controller.poll_interval(), interval);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_its_flag() {
        for (argument, wanted) in [
            (
                "--grace-period=0s",
                "--grace-period: the grace period must be",
            ),
            (
                "--monitor-period=0s",
                "--monitor-period: the monitor period must be",
            ),
            (
                "--grace-period=30days",
                "--grace-period, --monitor-period, --pass-duration, --longest-pass: a setting",
            ),
            (
                "--grace-period=4s",
                "--grace-period, --monitor-period: the grace period",
            ),
            (
                "--longest-pass=1ms",
                "--pass-duration, --longest-pass: the shortest pass",
            ),
            ("--near-ratio=0", "--near-ratio 0 must be above 0"),
            (
                "--overdue-median-factor=NaN",
                "--overdue-median-factor NaN must be",
            ),
            ("--stale-after=0s", "--stale-after must be longer than zero"),
            ("--learning-gaps=0", "--learning-gaps must be at least 1"),
            ("--max-nodes=0", "--max-nodes must be at least 1"),
            ("--max-store-size=1GB", "--max-store-size"),
            ("--metrics-nodes=some", "--metrics-nodes"),
            ("--retain-for=ever", "--retain-for"),
            ("--log=info,x=loud", "--log"),
            ("--http=0.0.0.0:4851", "--http 0.0.0.0:4851 can be reached"),
            ("--tls-cert=tls.crt", "--tls-key"),
            ("--agent-auth=certificate", "--agent-auth certificate needs"),
        ] {
            let error = parsed(&[argument]).expect_err(wanted);
            assert!(error.contains(wanted), "{argument}: {error}");
        }
    }

    #[test]
    fn beyond_loopback_needs_a_word() {
        assert!(parsed(&["--listen=[::]:4850"]).is_err());
        assert!(parsed(&["--listen=[::]:4850", "--insecure"]).is_ok());
        let error = parsed(&["--tls-cert=/nowhere.crt", "--tls-key=/nowhere.key"]).err();
        let error = error.expect("there are no such files");
        assert!(error.contains("--tls-client-ca: /nowhere.crt"), "{error}");
        assert!(parsed(&["--listen=[::1]:4850", "--http=127.0.0.2:1"]).is_ok());
    }
}
