//! Which aggregators an agent reports to: given ones, or whoever is behind a name.

use std::{net::IpAddr, sync::Arc};

use anyhow::Context as _;
use http::Uri;
use tonic::transport::{Channel, Endpoint};

use super::{
    directory::{Directory, DnsName},
    tls::{self, Tls, TlsFiles},
};
use crate::config::Timeouts;

/// The aggregator replicas an agent reports to, each with its own stream and its own cursor.
#[derive(Clone, Debug)]
pub struct Aggregators(pub(super) Kind);

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// These and no others, with the names by which the spool remembers them.
    Given(Vec<(String, Channel)>),
    /// Every address behind a name, looked up again and again.
    Listed(Arc<dyn Directory>),
}

impl Aggregators {
    /// These replicas and no others. A name is what the spool on the node remembers a replica by: the same name means that
    /// it has what it acknowledged before.
    pub fn given(replicas: impl IntoIterator<Item = (String, Channel)>) -> Self {
        Self(Kind::Given(replicas.into_iter().collect()))
    }

    /// None: nothing is reported.
    pub const fn none() -> Self {
        Self(Kind::Given(Vec::new()))
    }

    /// Whether there may be one.
    pub(crate) const fn are_there(&self) -> bool {
        match &self.0 {
            Kind::Given(replicas) => !replicas.is_empty(),
            Kind::Listed(_) => true,
        }
    }

    /// Every replica that `directory` lists, looked up every 30 s and after failures. The spool remembers each by its address.
    pub fn listed_by(directory: Arc<dyn Directory>) -> Self {
        Self(Kind::Listed(directory))
    }

    /// Every replica at `url`: one for an IP address; for a DNS name one for each of its addresses. Nothing is reached yet. With
    /// `https` the certificate must be for the name in the URL, whichever address is behind it, or for the one in `tls`.
    ///
    /// # Errors
    /// When `url` is none that can be spoken to: something else than `http://host:port` or `https://host:port`. When a file of
    /// `tls` cannot be used.
    pub fn at(url: &str, tls: &TlsFiles, timeouts: &Timeouts) -> anyhow::Result<Self> {
        let endpoint = endpoint(url, timeouts)?;
        let url = endpoint.uri().clone();
        let host = url.host().unwrap_or_default();
        let tls = encryption(&url, tls, timeouts)?;
        let usual_port = if tls.is_some() { HTTPS_PORT } else { HTTP_PORT };
        let port = url.port_u16().unwrap_or(usual_port);
        Ok(
            if bare_host(&url).parse::<IpAddr>().is_ok() || host == "localhost" {
                // This machine is one replica, on whichever of its addresses it listens.
                let channel = tls::channel(&endpoint, tls.as_ref());
                Self::given([(format!("{host}:{port}"), channel)])
            } else {
                let host = host.to_owned();
                Self::listed_by(Arc::new(DnsName::new(
                    url,
                    host,
                    port,
                    tls,
                    timeouts.clone(),
                )))
            },
        )
    }
}

impl From<Channel> for Aggregators {
    /// One aggregator.
    fn from(channel: Channel) -> Self {
        Self::given([("aggregator".to_owned(), channel)])
    }
}

/// The ports of URLs without one.
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;

/// A channel to the aggregator at `url` that connects when it is first used: an unreachable aggregator is no error here.
///
/// # Errors
/// As [`Aggregators::at`].
pub fn channel(url: &str, tls: &TlsFiles, timeouts: &Timeouts) -> anyhow::Result<Channel> {
    let endpoint = endpoint(url, timeouts)?;
    let tls = encryption(endpoint.uri(), tls, timeouts)?;
    Ok(tls::channel(&endpoint, tls.as_ref()))
}

/// The TLS that a URL asks for. Absent: none.
fn encryption(url: &Uri, tls: &TlsFiles, timeouts: &Timeouts) -> anyhow::Result<Option<Tls>> {
    let encrypted = url.scheme_str() == Some("https");
    encrypted
        .then(|| Tls::open(tls, bare_host(url), timeouts))
        .transpose()
}

/// The host of a URL, which has an IPv6 address in brackets.
fn bare_host(url: &Uri) -> &str {
    let host = url.host().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']')
}

pub(super) fn endpoint(url: &str, timeouts: &Timeouts) -> anyhow::Result<Endpoint> {
    let endpoint =
        Endpoint::from_shared(url.to_owned()).with_context(|| format!("aggregator URL {url:?}"))?;
    let (scheme, host) = (endpoint.uri().scheme_str(), endpoint.uri().host());
    anyhow::ensure!(
        matches!(scheme, Some("http" | "https")) && host.is_some(),
        "aggregator URL {url:?}: must be https://HOST:PORT or http://HOST:PORT"
    );
    // Every ping is a frame for the aggregator, from each of its agents: none is asked for sooner than an acknowledgement would be
    // missed. Its own pings and what is acknowledged put them off, so that hardly any is ever sent.
    let patience = timeouts.acknowledgement / 2;
    Ok(endpoint
        .connect_timeout(timeouts.connect)
        .http2_keep_alive_interval(patience)
        .keep_alive_timeout(patience))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Aggregators {
        /// Whoever is behind `localhost` at this port: the one name that every machine resolves.
        pub(crate) fn behind_localhost(port: u16) -> Self {
            Self::listed_by(Arc::new(DnsName::new(
                Uri::from_static("http://localhost"),
                "localhost".into(),
                port,
                None,
                Timeouts::default(),
            )))
        }
    }

    fn at(url: &str) -> anyhow::Result<Kind> {
        Aggregators::at(url, &TlsFiles::default(), &Timeouts::default())
            .map(|aggregators| aggregators.0)
    }

    #[tokio::test]
    async fn an_address_is_one_replica_and_a_name_is_any_number() {
        for (url, replica) in [
            ("http://10.0.0.7:4850", "10.0.0.7:4850"),
            ("http://[fd00::7]:4850", "[fd00::7]:4850"),
            ("http://10.0.0.7", "10.0.0.7:80"),
            ("http://localhost:4850", "localhost:4850"),
        ] {
            let Kind::Given(replicas) = at(url).unwrap() else {
                panic!("{url} is an address");
            };
            assert_eq!(replicas[0].0, replica);
        }
        let Kind::Listed(name) = at("http://nodegrace-aggregator.nodegrace.svc:4850").unwrap()
        else {
            panic!("it is a name");
        };
        assert_eq!(name.name(), "nodegrace-aggregator.nodegrace.svc");
        for address in ["10.0.0.7:4850", "[fd00::7]:4850"] {
            name.channel(address.parse().unwrap());
        }
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused() {
        for url in ["", "10.0.0.7:4850", "https://", "ftp://a"] {
            assert!(at(url).is_err(), "{url:?}");
        }
    }
}
