//! Prometheus, `VictoriaMetrics` and promtool.

use std::{
    io::Write as _,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::real::programs::output_of;

/// Pause between two questions.
const POLL: Duration = Duration::from_millis(500);
/// Longest time until something shows. Far above what it takes: it only ends a broken test.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running time series database.
pub(super) struct Engine {
    /// Where it answers.
    pub(super) url: String,
    child: Child,
}

impl Engine {
    /// Prometheus with this configuration.
    pub(super) fn prometheus(config: &Path, data: &Path) -> anyhow::Result<Self> {
        Self::prometheus_with(config, data, &[])
    }

    /// The same with more flags.
    pub(super) fn prometheus_with(
        config: &Path,
        data: &Path,
        flags: &[&str],
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut args = vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address={address}"),
        ];
        args.extend(flags.iter().map(|flag| (*flag).to_owned()));
        Self::start("prometheus", &address, &args)
    }

    /// `VictoriaMetrics` with its data below `directory`.
    pub(super) fn victoria_metrics(directory: &Path) -> anyhow::Result<Self> {
        let address = free_address()?;
        let data = directory.join("victoria-metrics");
        Self::start(
            "victoria-metrics",
            &address,
            &[
                format!("-storageDataPath={}", data.display()),
                format!("-httpListenAddr={address}"),
                // Answers for now must hold what was written now.
                "-search.latencyOffset=0s".to_owned(),
            ],
        )
    }

    fn start(program: &str, address: &str, args: &[String]) -> anyhow::Result<Self> {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} does not start; `.ci/run` installs it"))?;
        Ok(Self {
            url: format!("http://{address}"),
            child,
        })
    }

    /// What it answers now, one line a series.
    pub(super) fn query(&self, expr: &str) -> anyhow::Result<Vec<String>> {
        let answer = output_of("promtool", ["query", "instant", &self.url, expr])?;
        // Nothing is an empty line.
        let lines = answer.lines().filter(|line| !line.is_empty());
        Ok(lines.map(str::to_owned).collect())
    }

    /// What it answers once it answers with something.
    pub(super) async fn query_when(&self, expr: &str) -> anyhow::Result<Vec<String>> {
        self.query_until(expr, |lines| !lines.is_empty()).await
    }

    /// What it answers once that is `enough`.
    pub(super) async fn query_until(
        &self,
        expr: &str,
        enough: impl Fn(&[String]) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let mut last = None;
        let asked = async {
            loop {
                // It may not listen yet.
                let answer = self.query(expr);
                match answer {
                    Ok(lines) if enough(&lines) => return lines,
                    other => last = Some(other),
                }
                #[allow(clippy::disallowed_methods, reason = "other programs run in real time")]
                tokio::time::sleep(POLL).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(lines) => Ok(lines),
            Err(_) => anyhow::bail!("{expr}: {last:?}"),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of the loopback interface that was free just now.
pub(in crate::real) fn free_address() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

/// Lets promtool look at names, units and help texts of an exposition.
pub(super) fn check_metrics(exposition: &str) -> anyhow::Result<()> {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("promtool does not start; `.ci/run` installs it")?;
    let mut stdin = promtool.stdin.take().context("stdin is piped")?;
    stdin.write_all(exposition.as_bytes())?;
    drop(stdin);
    let output = promtool.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    anyhow::ensure!(output.status.success() && said.is_empty(), "{said}");
    Ok(())
}

/// The body of an answer over HTTP, once somebody listens.
pub(super) async fn get(address: &str, path: &str, accept: &str) -> anyhow::Result<String> {
    let connect = async {
        loop {
            match TcpStream::connect(address).await {
                Ok(stream) => return stream,
                #[allow(clippy::disallowed_methods, reason = "other programs run in real time")]
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    };
    let mut stream = tokio::time::timeout(PATIENCE, connect).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no body")?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Ok(body.to_owned())
}
