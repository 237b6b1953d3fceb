//! Gaps as a real Prometheus lets one see them.

use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use nodegrace_clock::Clock;
use serde_json::Value;

use super::{Findings, Found, NODES};
use crate::{
    bench::{
        aggregator::{MEASURED, free_port},
        footprint::{Memory, Processor},
        http,
        load::node_name,
        process::{Launch, Running},
    },
    soak::bytes_below,
};

/// A renewal that is older when it is scraped: one period with its jitter, and a second for the way.
const OLD: f64 = 11.4;
/// Two renewals of two scrapes in turn that are farther apart: two periods with their jitter, and as much for the scrapes' own.
const APART: f64 = 21.5;
const PATIENCE: Duration = Duration::from_secs(60);

/// A running Prometheus.
pub(super) struct Prometheus {
    process: Running,
    address: SocketAddr,
    data: PathBuf,
    processor: Processor,
}

impl Prometheus {
    /// Starts one that scrapes `target` every 15 s, on the same core as the aggregator.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) async fn start(target: SocketAddr, place: &Path) -> anyhow::Result<Self> {
        let (address, data) = (free_port().await?, place.join("prometheus"));
        let config = place.join("prometheus.yaml");
        fs::write(
            &config,
            format!(
                "global: {{scrape_interval: 15s}}\nscrape_configs:\n- job_name: leases\n  static_configs:\n  - targets: ['{target}']\n"
            ),
        )?;
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", data.display()),
            format!("--web.listen-address={address}"),
            "--web.enable-admin-api".to_owned(),
            "--log.level=warn".to_owned(),
        ];
        let launch = Launch::new("prometheus", arguments, place.join("prometheus.log"));
        let process = launch.on_core(MEASURED).start()?;
        let mut prometheus = Self {
            processor: Processor::of(process.id()?),
            process,
            address,
            data,
        };
        let clock = Clock::real();
        let give_up = clock.now() + PATIENCE;
        while http::get(address, "/-/ready", false).await.is_err() {
            if prometheus.process.ended()?.is_some() || clock.now() > give_up {
                let word = prometheus.process.last_word();
                bail!("prometheus does not start; install Debian's package: {word}");
            }
            clock.sleep(Duration::from_millis(200)).await;
        }
        Ok(prometheus)
    }

    pub(super) fn used(&mut self) -> anyhow::Result<Duration> {
        Ok(self.processor.used()?)
    }

    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        Ok(Memory::of(self.process.id()?)?)
    }

    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// Size of everything it holds as a block, the form in which it stays on disk.
    pub(super) async fn snapshot_bytes(&self) -> anyhow::Result<u64> {
        http::post(self.address, "/api/v1/admin/tsdb/snapshot").await?;
        Ok(bytes_below(&self.data.join("snapshots")))
    }

    /// Every gap that its samples of the last `seconds` show.
    pub(super) async fn gaps(&self, seconds: u64) -> anyhow::Result<Findings> {
        let path = format!("/api/v1/query?query=renew_time%5B{seconds}s%5D");
        let answer: Value = serde_json::from_slice(&http::get(self.address, &path, false).await?)?;
        let series = answer["data"]["result"].as_array().context("series")?;
        let numbers: HashMap<_, _> = (0..NODES)
            .map(|number| (node_name(number), number))
            .collect();
        let mut found = Vec::new();
        for one in series {
            let node = one["metric"]["node"].as_str().context("a node")?;
            let node = *numbers.get(node).context("a known node")?;
            let samples = one["values"].as_array().context("values")?;
            let samples: Option<Vec<_>> = samples
                .iter()
                .map(|sample| Some((sample[0].as_f64()?, sample[1].as_str()?.parse().ok()?)))
                .collect();
            found.extend(
                late(&samples.context("numbers")?)
                    .into_iter()
                    .map(|(from, to)| Found { node, from, to }),
            );
        }
        Ok(found)
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.process.stop().await
    }
}

/// The renewals before and after each gap that shows in samples of a gauge: when it was scraped, and its value.
fn late(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let renewals: Vec<_> = samples
        .chunk_by(|(_, one), (_, next)| one.total_cmp(next).is_eq())
        .collect();
    let gap = |pair: &[&[(f64, f64)]]| {
        // The last scrape that still found the renewal before.
        let ((scraped, before), (_, now)) = (*pair[0].last()?, *pair[1].first()?);
        (scraped - before > OLD || now - before > APART).then_some((before, now))
    };
    renewals.windows(2).filter_map(gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_without_a_gap_shows() {
        let usual = [(15.0, 10.2), (30.0, 20.4), (45.0, 40.8), (60.0, 51.0)];
        assert_eq!(late(&usual), []);
        let missed = [(15.0, 10.2), (30.0, 20.4), (45.0, 20.4), (60.0, 57.0)];
        assert_eq!(late(&missed), [(20.4, 57.0)]);
    }
}
