//! An address of an aggregator, as typed.

use std::{fmt, net::IpAddr};

use anyhow::{Context as _, bail};
use http::Uri;

/// The port of an aggregator's gRPC API.
pub(super) const PORT: u16 = 4850;

/// Where an aggregator listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Its name or IP address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it speaks TLS.
    pub(super) encrypted: bool,
}

impl Address {
    /// Reads HOST, HOST:PORT, or a URL of these.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let uri: Uri = text
            .parse()
            .with_context(|| format!("--address {text:?} is no address"))?;
        let encrypted = match uri.scheme_str() {
            None | Some("http") => false,
            Some("https") => true,
            Some(other) => bail!("--address {text:?}: {other}:// is neither http:// nor https://"),
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            bail!("--address {text:?}: nothing comes after the port");
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("--address {text:?} names no host"))?;
        if uri.port().is_none() && uri.authority().is_some_and(|all| all.as_str() != host) {
            bail!("--address {text:?}: what comes after the host is no port");
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            encrypted,
        })
    }

    /// Whether it is on this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let address = self
            .host
            .parse()
            .map(|address: IpAddr| address.is_loopback());
        address.unwrap_or(self.host == "localhost")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.encrypted { "https" } else { "http" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_with_a_port_or_a_url() {
        for (text, wanted) in [
            ("127.0.0.1:4850", "http://127.0.0.1:4850"),
            ("nodegrace.example", "http://nodegrace.example:4850"),
            ("[::1]:7", "http://[::1]:7"),
            (
                "https://nodegrace.example/",
                "https://nodegrace.example:4850",
            ),
            ("http://[::1]:7", "http://[::1]:7"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.to_string(), wanted, "{text}");
        }
        for text in ["", ":4850", "ftp://host", "http://host/path", "host:port"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (text, loopback) in [
            ("localhost:1", true),
            ("127.8.0.1:1", true),
            ("[::1]:1", true),
            ("192.0.2.1:1", false),
            ("localhost.example:1", false),
        ] {
            assert_eq!(
                Address::parse(text).expect(text).is_loopback(),
                loopback,
                "{text}"
            );
        }
    }
}
