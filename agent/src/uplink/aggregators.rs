//! Which aggregators an agent reports to: given ones, or whatever a DNS name resolves to.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::config::Timeouts;

/// The aggregator replicas an agent reports to, each with its own stream and its own cursor.
#[derive(Clone, Debug)]
pub struct Aggregators(pub(super) Kind);

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// These and no others, with the names by which the spool remembers them.
    Given(Vec<(String, Channel)>),
    /// Every address behind a name, looked up again and again.
    Named(Name),
}

/// A name that stands for aggregators.
#[derive(Clone, Debug)]
pub(super) struct Name {
    /// The URL as it was given.
    url: Uri,
    /// The DNS name in it.
    pub(super) host: String,
    port: u16,
    timeouts: Timeouts,
}

impl Aggregators {
    /// These replicas and no others. A name is what the spool on the node remembers a replica by: the same name means that
    /// it has what it acknowledged before.
    pub fn given(replicas: impl IntoIterator<Item = (String, Channel)>) -> Self {
        Self(Kind::Given(replicas.into_iter().collect()))
    }

    /// Every replica at `url`: one for an IP address; for a DNS name one for each of its addresses, looked up every 30 s and
    /// after failures. Nothing is reached yet.
    ///
    /// # Errors
    /// When `url` is none that can be spoken to: something else than `http://host:port`.
    pub fn at(url: &str, timeouts: &Timeouts) -> anyhow::Result<Self> {
        let endpoint = endpoint(url, timeouts)?;
        let url = endpoint.uri().clone();
        let host = url.host().unwrap_or_default();
        let port = url.port_u16().unwrap_or(HTTP_PORT);
        // A URL has an IPv6 address in brackets.
        let address = host.trim_start_matches('[').trim_end_matches(']');
        Ok(
            if address.parse::<IpAddr>().is_ok() || host == "localhost" {
                // This machine is one replica, on whichever of its addresses it listens.
                Self::given([(format!("{host}:{port}"), endpoint.connect_lazy())])
            } else {
                let (host, timeouts) = (host.to_owned(), timeouts.clone());
                Self(Kind::Named(Name {
                    url,
                    host,
                    port,
                    timeouts,
                }))
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

/// The port of a URL without one.
const HTTP_PORT: u16 = 80;

impl Name {
    /// The addresses behind the name, of the first one's family: on a cluster with two, every pod has an address of each and
    /// would be reported to twice.
    pub(super) async fn look_up(&self) -> std::io::Result<Vec<SocketAddr>> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        Ok(of_one_family(addresses))
    }

    /// A channel to one of the addresses, which is still called by the name.
    pub(super) fn channel(&self, address: SocketAddr) -> Channel {
        endpoint(&format!("http://{address}"), &self.timeouts)
            .expect("an address makes a URL")
            .origin(self.url.clone())
            .connect_lazy()
    }
}

fn of_one_family(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let first_is_ipv4 = addresses.peek().is_some_and(SocketAddr::is_ipv4);
    addresses
        .filter(|address| address.is_ipv4() == first_is_ipv4)
        .collect()
}

/// A channel to the aggregator at `url` that connects when it is first used: an unreachable aggregator is no error here.
///
/// # Errors
/// When `url` is none that can be spoken to: something else than `http://host:port`.
pub fn channel(url: &str, timeouts: &Timeouts) -> anyhow::Result<Channel> {
    Ok(endpoint(url, timeouts)?.connect_lazy())
}

fn endpoint(url: &str, timeouts: &Timeouts) -> anyhow::Result<Endpoint> {
    let endpoint =
        Endpoint::from_shared(url.to_owned()).with_context(|| format!("aggregator URL {url:?}"))?;
    let (scheme, host) = (endpoint.uri().scheme_str(), endpoint.uri().host());
    anyhow::ensure!(
        scheme == Some("http") && host.is_some(),
        "aggregator URL {url:?}: must be http://HOST:PORT"
    );
    Ok(endpoint
        .connect_timeout(timeouts.connect)
        .http2_keep_alive_interval(timeouts.keepalive_interval)
        .keep_alive_timeout(timeouts.keepalive_timeout))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Aggregators {
        /// Whoever is behind `localhost` at this port: the one name that every machine resolves.
        pub(crate) fn behind_localhost(port: u16) -> Self {
            Self(Kind::Named(Name {
                url: Uri::from_static("http://localhost"),
                host: "localhost".into(),
                port,
                timeouts: Timeouts::default(),
            }))
        }
    }

    fn at(url: &str) -> anyhow::Result<Kind> {
        Aggregators::at(url, &Timeouts::default()).map(|aggregators| aggregators.0)
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
        let Kind::Named(name) = at("http://nodegrace-aggregator.nodegrace.svc:4850").unwrap()
        else {
            panic!("it is a name");
        };
        assert_eq!(name.host, "nodegrace-aggregator.nodegrace.svc");
        for address in ["10.0.0.7:4850", "[fd00::7]:4850"] {
            name.channel(address.parse().unwrap());
        }
    }

    #[test]
    fn what_cannot_be_spoken_to_is_refused() {
        for url in ["", "10.0.0.7:4850", "https://aggregator:4850", "ftp://a"] {
            assert!(at(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn a_pod_with_an_address_of_each_family_is_one_replica() {
        let four: SocketAddr = ([10, 0, 0, 7], 4850).into();
        let six: SocketAddr = "[fd00::7]:4850".parse().unwrap();
        assert_eq!(of_one_family([six, four]), [six]);
        assert_eq!(of_one_family([four, six, four]), [four, four]);
        assert!(of_one_family([]).is_empty());
    }
}
