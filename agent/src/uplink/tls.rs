//! TLS to aggregators. Whoever renews certificates and authorities swaps files: they are read again for every connection.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context as _, ensure};
use http::Uri;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tonic::transport::{Channel, Endpoint};
use tower::{Service as _, service_fn};

use crate::config::Timeouts;

/// What the agent knows aggregators by, and what they know it by; the files are PEM.
#[derive(Clone, Debug, Default)]
pub struct TlsFiles {
    /// The authorities that sign aggregators' certificates. Absent: those of the system.
    pub authorities: Option<PathBuf>,
    /// The name their certificates must be for. Absent: the host of the URL.
    pub server_name: Option<String>,
    /// The agent's own certificate, with the intermediate ones after it, and its key. Absent: it shows none.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// How aggregators of one name are spoken to.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    name: ServerName<'static>,
    timeouts: Timeouts,
}

/// A channel to where `endpoint` leads, through `tls` when there is one, that connects when it is first used.
pub(super) fn channel(endpoint: &Endpoint, tls: Option<&Tls>) -> Channel {
    let Some(tls) = tls.cloned() else {
        return endpoint.connect_lazy();
    };
    endpoint.connect_with_connector_lazy(service_fn(move |address: Uri| {
        let connector = tls.connector();
        async move {
            connector?
                .call(address)
                .await
                .map_err(anyhow::Error::from_boxed)
        }
    }))
}

impl Tls {
    /// TLS to `host`, or to whom `files` name in its place.
    ///
    /// # Errors
    /// When there is no such name, or a file is not what it should be.
    pub(super) fn open(files: &TlsFiles, host: &str, timeouts: &Timeouts) -> anyhow::Result<Self> {
        let name = files.server_name.as_deref().unwrap_or(host).to_owned();
        let tls = Self {
            files: files.clone(),
            name: ServerName::try_from(name.clone())
                .with_context(|| format!("server name {name:?}"))?,
            timeouts: timeouts.clone(),
        };
        tls.connector()?;
        Ok(tls)
    }

    /// What connects, by what the files hold now.
    fn connector(&self) -> anyhow::Result<HttpsConnector<HttpConnector>> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(self.timeouts.connect));
        Ok(HttpsConnectorBuilder::new()
            .with_tls_config(self.files.client()?)
            .https_only()
            .with_server_name_resolver(FixedServerNameResolver::new(self.name.clone()))
            .enable_http2()
            .wrap_connector(tcp))
    }
}

impl TlsFiles {
    fn client(&self) -> anyhow::Result<ClientConfig> {
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(self.roots()?);
        let Some((certificate, key)) = &self.identity else {
            return Ok(client.with_no_client_auth());
        };
        let private = PrivateKeyDer::from_pem_file(key)
            .with_context(|| format!("{}: no PEM private key", key.display()))?;
        client
            .with_client_auth_cert(certificates(certificate)?, private)
            .with_context(|| format!("{} and {}", certificate.display(), key.display()))
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.authorities else {
            // Some of a system's roots may be of no use; the others are.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            ensure!(
                !roots.is_empty(),
                "the system has no certificate authorities: give --aggregator-ca"
            );
            return Ok(roots);
        };
        for authority in certificates(path)? {
            roots
                .add(authority)
                .with_context(|| format!("{}: no authority", path.display()))?;
        }
        Ok(roots)
    }
}

/// The certificates in a PEM file, of which there is at least one.
fn certificates(path: &PathBuf) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> =
        certificates.with_context(|| format!("{}: no PEM certificate", path.display()))?;
    ensure!(
        !certificates.is_empty(),
        "{}: no PEM certificate",
        path.display()
    );
    Ok(certificates)
}
