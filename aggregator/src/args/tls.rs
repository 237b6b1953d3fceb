//! The flags that say how connections are encrypted.

use std::path::PathBuf;

use clap::Args;

use crate::{Tls, TlsFiles};

/// How connections are encrypted. The files are read again as they change.
#[derive(Args, Clone, Debug)]
pub struct TlsArgs {
    /// PEM file with the certificate of both ports, and the intermediate ones after it. It is read again as it changes; one
    /// that cannot be used is logged, and the one before stays in use.
    #[arg(
        long,
        env = "NODEGRACE_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_cert: Option<PathBuf>,

    /// PEM file with the key of --tls-cert.
    #[arg(
        long,
        env = "NODEGRACE_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_key: Option<PathBuf>,

    /// PEM file with the authorities that sign the certificates of agents, for --agent-auth certificate. It is read again as it
    /// changes.
    #[arg(
        long,
        env = "NODEGRACE_TLS_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub tls_client_ca: Option<PathBuf>,
}

impl TlsArgs {
    /// The settings in the files. Absent: there is no TLS.
    pub(super) fn tls(&self) -> Result<Option<Tls>, String> {
        let (Some(certificate), Some(key)) = (self.tls_cert.clone(), self.tls_key.clone()) else {
            return Ok(None);
        };
        let files = TlsFiles {
            certificate,
            key,
            client_ca: self.tls_client_ca.clone(),
        };
        Tls::open(files)
            .map(Some)
            .map_err(|error| format!("--tls-cert, --tls-key, --tls-client-ca: {error:#}"))
    }
}
