//! Connections from addresses of our choice, as real agents make them.

use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use http::Uri;
use hyper_util::rt::TokioIo;
use nodegrace_agent::Timeouts;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tokio_util::either::Either;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::super::args::LoadRole;

/// How the target is reached.
pub(super) struct Connector {
    endpoint: Endpoint,
    target: std::net::SocketAddr,
    tls: Option<TlsConnector>,
}

impl Connector {
    pub(super) fn new(role: &LoadRole) -> anyhow::Result<Self> {
        let timeouts = Timeouts::default();
        let patience = timeouts.acknowledgement / 2;
        let patience = role.ping_after.map_or(patience, Duration::from_secs);
        // Always http here: TLS is made below it.
        let endpoint = Endpoint::from_shared(format!("http://{}", role.target))?
            .http2_keep_alive_interval(patience)
            .keep_alive_timeout(patience);
        Ok(Self {
            endpoint,
            target: role.target,
            tls: role.authority.as_deref().map(tls).transpose()?,
        })
    }

    /// A connection of its own from this address, made when it is first used.
    pub(super) fn channel(&self, from: IpAddr) -> anyhow::Result<Channel> {
        let (target, tls) = (self.target, self.tls.clone());
        let name = ServerName::try_from("localhost")?;
        Ok(self
            .endpoint
            .connect_with_connector_lazy(service_fn(move |_: Uri| {
                let (tls, name) = (tls.clone(), name.clone());
                async move {
                    let socket = TcpSocket::new_v4()?;
                    socket.set_nodelay(true)?;
                    socket.bind((from, 0).into())?;
                    let plain = socket.connect(target).await?;
                    Ok::<_, std::io::Error>(TokioIo::new(match tls {
                        None => Either::Left(plain),
                        Some(tls) => Either::Right(tls.connect(name, plain).await?),
                    }))
                }
            })))
    }
}

fn tls(authority: &Path) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).context("authority")?)?;
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(client)))
}
