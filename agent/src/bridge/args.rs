//! The bridge's command line.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;

use crate::{
    args::{duration, socket},
    logging::LogArgs,
};

// The comments below are the help text: quotes and URLs stand there as people type them.
#[allow(clippy::doc_markdown, reason = "help text is no markdown")]
/// What the bridge is told; what it is for is said in [`crate::Part`].
#[derive(Clone, Debug, Args)]
pub struct BridgeArgs {
    /// Socket of the container runtime (CRI v1), as a path or as unix://PATH.
    #[arg(long, env = "NODEGRACE_CRI_SOCKET", value_name = "SOCKET", value_parser = socket)]
    pub cri_socket: PathBuf,

    /// Where to make the socket for the agent, as a path or as unix://PATH; a socket on which nobody listens any more is
    /// replaced. Its user and group may use it, and nobody else.
    #[arg(long, env = "NODEGRACE_LISTEN", value_name = "SOCKET", value_parser = socket)]
    pub listen: PathBuf,

    /// Longest wait for one call to the runtime. Longer than the agent's own --cri-timeout, so that it is the agent who
    /// says that there was no answer, and leaves the runtime in peace.
    #[arg(long, env = "NODEGRACE_CRI_TIMEOUT", value_name = "DURATION", default_value = "40s", value_parser = duration)]
    pub cri_timeout: Duration,

    /// What to log, and how.
    #[command(flatten)]
    pub log: LogArgs,
}

impl BridgeArgs {
    /// Whether this makes sense.
    ///
    /// # Errors
    /// When the bridge would be in the runtime's place.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.listen != self.cri_socket,
            "--listen: this is the runtime's own socket"
        );
        Ok(())
    }
}
