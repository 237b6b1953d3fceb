//! The log of the process: filtered by `--log`, written to stderr as text or JSON.

#[cfg(test)]
pub(crate) mod captured;

use std::io::{self, IsTerminal as _};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line of text for each event.
    Text,
    /// A JSON object for each event, one to a line.
    Json,
}

// The comments below are the help text: modules stand there as people type them.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// What to log and how, for every part of the program.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// What to log: a level, or levels by module, such as "info,nodegrace_agent=debug".
    #[arg(
        long,
        env = "NODEGRACE_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,

    /// How to write the log.
    #[arg(long, env = "NODEGRACE_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

impl LogArgs {
    /// Starts logging to stderr.
    ///
    /// # Errors
    /// When the filter makes no sense (see `tracing_subscriber`'s `EnvFilter`), or the process logs already.
    pub fn start(&self) -> anyhow::Result<()> {
        let filter = &self.log;
        let filter =
            EnvFilter::try_new(filter).with_context(|| format!("log filter {filter:?}"))?;
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(io::stderr().is_terminal())
            .with_writer(io::stderr);
        match self.log_format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        }
        .map_err(|error| anyhow::anyhow!(error).context("logging"))
    }
}
