//! The sources as functions of what they read, for the fuzz targets.

use std::time::Duration;

use jiff::Timestamp;
use nodegrace_clock::Clock;
use nodegrace_proto::{
    cri::{ListContainersResponse, ListImagesResponse, ListPodSandboxResponse},
    v1::{KubeletMetrics, KubeletSettings, Runtime, Sample},
};
use prost::{DecodeError, Message as _};

use super::{Series, host, kubelet_config, kubelet_metrics::Scrape, runtime};
use crate::{config::Config, moment::Moment};

/// The files under the roots of `/proc` and `/sys`, read again and again.
#[derive(Debug)]
pub struct HostFiles {
    files: host::HostFiles,
    series: Series,
}

impl HostFiles {
    /// Reads under the roots in `config`.
    pub fn new(config: &Config) -> Self {
        Self {
            files: host::HostFiles::new(config),
            series: Series::usual(),
        }
    }

    /// One reading of all of them.
    pub fn read(&mut self, clock: &Clock) -> Sample {
        self.series.take(&mut self.files, clock, None)
    }
}

/// What two readings of the kubelet's /metrics tell, the second one made `interval` after the first; the node has been up for
/// as long then.
pub fn kubelet_metrics(first: &str, second: &str, interval: Duration) -> KubeletMetrics {
    let scrape = |text: &str, at| {
        let mut scrape = Scrape::new(at, at);
        text.lines().for_each(|line| scrape.take(line));
        scrape
    };
    let now = Moment {
        monotonic: interval,
        wall: Timestamp::UNIX_EPOCH + interval,
    };
    scrape(second, interval).since(Some(&scrape(first, Duration::ZERO)), now)
}

/// What the kubelet's /configz tells. Absent: nothing that can be understood.
pub fn kubelet_settings(text: &str) -> Option<KubeletSettings> {
    kubelet_config::parse(text).ok()
}

/// What the runtime's answers to its three listing calls tell.
///
/// # Errors
/// When an answer is no message of that kind.
pub fn runtime(sandboxes: &[u8], containers: &[u8], images: &[u8]) -> Result<Runtime, DecodeError> {
    let mut seen = Runtime::default();
    runtime::count_sandboxes(&ListPodSandboxResponse::decode(sandboxes)?, &mut seen);
    runtime::count_containers(&ListContainersResponse::decode(containers)?, &mut seen);
    runtime::count_images(&ListImagesResponse::decode(images)?, &mut seen);
    Ok(seen)
}
