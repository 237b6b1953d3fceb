//! A name that stands for any number of aggregators, and who says which.

use std::{fmt, io, net::SocketAddr};

use futures::future::BoxFuture;
use http::Uri;
use tonic::transport::Channel;

use super::{
    aggregators::endpoint,
    tls::{self, Tls},
};
use crate::config::Timeouts;

/// Says which aggregators a name stands for, and reaches them. The cluster's DNS is one, and what stands for it where there is
/// none.
pub trait Directory: fmt::Debug + Send + Sync {
    /// The name, for people.
    fn name(&self) -> &str;

    /// The addresses behind the name now. Looked up every 30 s, and after failures.
    ///
    /// # Errors
    /// When they cannot be told now: those of the last time are reported to meanwhile.
    fn look_up(&self) -> BoxFuture<'_, io::Result<Vec<SocketAddr>>>;

    /// A channel to one of the addresses, which connects when it is first used.
    fn channel(&self, address: SocketAddr) -> Channel;
}

/// A name that the machine resolves.
#[derive(Clone, Debug)]
pub(super) struct DnsName {
    /// The URL as it was given.
    url: Uri,
    /// The DNS name in it.
    host: String,
    port: u16,
    /// Absent: none, it is an `http` URL.
    tls: Option<Tls>,
    timeouts: Timeouts,
}

impl DnsName {
    /// The name `host` of `url`, whose addresses listen on `port`.
    pub(super) const fn new(
        url: Uri,
        host: String,
        port: u16,
        tls: Option<Tls>,
        timeouts: Timeouts,
    ) -> Self {
        Self {
            url,
            host,
            port,
            tls,
            timeouts,
        }
    }
}

impl Directory for DnsName {
    fn name(&self) -> &str {
        &self.host
    }

    /// The addresses of the first one's family: on a cluster with two, every pod has an address of each and would be reported
    /// to twice.
    fn look_up(&self) -> BoxFuture<'_, io::Result<Vec<SocketAddr>>> {
        Box::pin(async {
            let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
            Ok(of_one_family(addresses))
        })
    }

    /// A channel that still calls the aggregator by the name.
    fn channel(&self, address: SocketAddr) -> Channel {
        let scheme = self.url.scheme_str().unwrap_or("http");
        let endpoint = endpoint(&format!("{scheme}://{address}"), &self.timeouts)
            .expect("an address makes a URL")
            .origin(self.url.clone());
        tls::channel(&endpoint, self.tls.as_ref())
    }
}

fn of_one_family(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut addresses = addresses.into_iter().peekable();
    let first_is_ipv4 = addresses.peek().is_some_and(SocketAddr::is_ipv4);
    addresses
        .filter(|address| address.is_ipv4() == first_is_ipv4)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_with_an_address_of_each_family_is_one_replica() {
        let four: SocketAddr = ([10, 0, 0, 7], 4850).into();
        let six: SocketAddr = "[fd00::7]:4850".parse().unwrap();
        assert_eq!(of_one_family([six, four]), [six]);
        assert_eq!(of_one_family([four, six, four]), [four, four]);
        assert!(of_one_family([]).is_empty());
    }
}
