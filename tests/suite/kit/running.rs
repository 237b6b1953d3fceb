//! A running aggregator process, and agents that report to it.

use std::{io::Write as _, net::SocketAddr, time::Duration};

use nodegrace_agent::{Timeouts, TlsFiles, channel};
use nodegrace_proto::v1::{self, query_client::QueryClient};
use tempfile::NamedTempFile;
use tonic::transport::Channel;

use crate::process::Process;

/// Longest time until something that is waited for shows. Far above what it takes: it only ends a broken test.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// A running aggregator.
pub struct Aggregator {
    /// The process.
    pub process: Process,
    /// Its gRPC address.
    pub address: SocketAddr,
    /// Its HTTP address.
    pub http: SocketAddr,
    /// What its certificate is known by. Absent: it speaks plain text.
    tls: Option<TlsFiles>,
}

impl Aggregator {
    /// Starts an aggregator on a free port.
    pub async fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Starts an aggregator on this address.
    pub async fn start_at(address: SocketAddr) -> Self {
        Self::start_with(address, None, &[]).await
    }

    /// Starts an aggregator without TLS on a free port.
    pub async fn start_plain(args: &[&str]) -> Self {
        Self::start_with(SocketAddr::from(([127, 0, 0, 1], 0)), None, args).await
    }

    /// Starts an aggregator with TLS on a free port: it is called by `name`, and its authority is in this file.
    pub async fn start_encrypted(name: &str, authority: &Written, args: &[&str]) -> Self {
        let files = TlsFiles {
            authorities: Some(authority.path.clone().into()),
            server_name: Some(name.to_owned()),
            identity: None,
        };
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::start_with(address, Some(files), args).await
    }

    /// Starts an aggregator.
    ///
    /// # Panics
    /// When it does not say where it listens.
    async fn start_with(address: SocketAddr, tls: Option<TlsFiles>, more: &[&str]) -> Self {
        let listen = address.to_string();
        let args = [
            "--listen",
            &listen,
            "--http",
            "127.0.0.1:0",
            "--grace-period",
            "40s",
            "--log-format",
            "json",
        ];
        let mut process = Process::start("nodegrace-aggregator", &[&args[..], more].concat());
        let address = told(&process.line("serving gRPC").await);
        let http = told(&process.line("serving HTTP").await);
        Self {
            process,
            address,
            http,
            tls,
        }
    }

    /// Starts an agent that reports here for a node.
    pub fn agent(&self, node: &str, args: &[&str]) -> Process {
        Self::agent_for(self.address, node, args)
    }

    /// Starts an agent that reports to this address for a node.
    pub fn agent_for(aggregator: SocketAddr, node: &str, args: &[&str]) -> Process {
        Self::agent_calling(&format!("http://{aggregator}"), node, args)
    }

    /// Starts an agent that reports to this URL for a node.
    pub fn agent_calling(url: &str, node: &str, args: &[&str]) -> Process {
        let base = [
            "--node-name",
            node,
            "--aggregator",
            url,
            "--sample-interval",
            "1s",
        ];
        Process::start("nodegrace-agent", &[&base[..], args].concat())
    }

    /// A connection to it.
    ///
    /// # Panics
    /// When the file with its authority is gone.
    pub fn channel(&self) -> Channel {
        let (scheme, files) = match &self.tls {
            Some(files) => ("https", files.clone()),
            None => ("http", TlsFiles::default()),
        };
        let url = format!("{scheme}://{}", self.address);
        channel(&url, &files, &Timeouts::default()).expect("an address makes a URL")
    }

    /// Asks for a node until what is known of it satisfies `enough`.
    ///
    /// # Panics
    /// When it never does, with what is known.
    #[allow(clippy::disallowed_methods, reason = "processes live in real time")]
    pub async fn until(&self, name: &str, enough: impl Fn(&v1::Node) -> bool) -> v1::Node {
        let mut client = QueryClient::new(self.channel());
        let mut last = None;
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                let request = v1::GetNodeRequest { name: name.into() };
                match client.get_node(request).await {
                    Ok(node) if enough(node.get_ref()) => return node.into_inner(),
                    answer => last = Some(answer),
                }
                tokio::time::sleep(PAUSE).await;
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("not enough is known of {name}: {last:#?}"))
    }
}

/// The address in a log line.
fn told(line: &str) -> SocketAddr {
    let line: serde_json::Value = serde_json::from_str(line).expect("a log line is JSON");
    let address = line["fields"]["address"].as_str();
    let address = address.expect("it says its address");
    address.parse().expect("it is an address")
}

/// A file that lives as long as its holder.
pub struct Written {
    /// Where it is.
    pub path: String,
    _file: NamedTempFile,
}

/// Writes a file.
///
/// # Panics
/// When there is no place for it.
pub fn written(text: &str) -> Written {
    let mut file = NamedTempFile::new().expect("there is a place for files");
    file.write_all(text.as_bytes()).expect("there is room");
    Written {
        path: file.path().to_string_lossy().into_owned(),
        _file: file,
    }
}
