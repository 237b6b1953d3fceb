//! What the kubelet says of itself in /metrics: how long its calls to the runtime and to the API server take, and what it
//! counts. Nearly all of it is alpha: what is missing is unknown.

use std::{collections::BTreeMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use nodegrace_proto::{
    prost_types,
    v1::{KubeletMetrics, Latency, RenewalCount},
};

use super::exposition::Line;
use crate::{moment::Moment, wire};

/// Calls to the runtime that a status post or the PLEG waits for.
const RUNTIME_OPERATIONS: [&str; 4] = [
    "list_images",
    "list_containers",
    "list_podsandbox",
    "status",
];
const RUNTIME: &str = "kubelet_runtime_operations_duration_seconds";
const PLEG_RELIST: &str = "kubelet_pleg_relist_duration_seconds";
const PLEG_INTERVAL: &str = "kubelet_pleg_relist_interval_seconds";
const API: &str = "rest_client_request_duration_seconds";
const API_REQUESTS: &str = "rest_client_requests_total";
/// The code of a request that was not answered: client-go had an error in its place.
const UNANSWERED: &str = "<error>";
/// How exact `process_start_time_seconds` is: the kernel tells the time of its boot in whole seconds.
const START_RESOLUTION: f64 = 1.0;

/// One reading of /metrics, reduced to what is used.
#[derive(Clone, Debug, Default)]
pub(super) struct Scrape {
    /// When it was asked for and answered, since boot.
    asked: Duration,
    at: Duration,
    histograms: BTreeMap<&'static str, Histogram>,
    api_requests: Option<Requests>,
    /// Renewals of the Lease that succeeded since the kubelet's start.
    renewals: Option<f64>,
    running_pods: Option<u32>,
    running_containers: Option<u32>,
    pleg_last_seen: Option<f64>,
    cpu_seconds: Option<f64>,
    /// When the kubelet started, as Unix time in seconds by the node's wall clock.
    started: Option<f64>,
}

/// A cumulative histogram since the kubelet's start.
#[derive(Clone, Debug, Default, PartialEq)]
struct Histogram {
    count: f64,
    sum: f64,
    /// Bounds and how many calls took no longer.
    buckets: Vec<(f64, f64)>,
}

/// Requests to the API server since the kubelet's start, over its hosts and methods.
#[derive(Clone, Copy, Debug, Default)]
struct Requests {
    all: f64,
    /// Not answered at all.
    unanswered: f64,
    /// Answered with 429 or 5xx.
    refused: f64,
}

impl Scrape {
    /// An empty scrape to read lines into, of what was asked for and answered at these times.
    pub(super) fn new(asked: Duration, at: Duration) -> Self {
        Self {
            asked,
            at,
            ..Self::default()
        }
    }

    /// Takes one line of the text.
    pub(super) fn take(&mut self, text: &str) {
        // Everything that is used is a number of something or a time: less than nothing, or no number, is unknown.
        let Some(line) =
            Line::parse(text).filter(|line| line.value.is_finite() && line.value >= 0.0)
        else {
            return;
        };
        match line.name {
            "kubelet_running_pods" => self.running_pods = Some(line.value as u32),
            "kubelet_running_containers" if line.label("container_state") == Some("running") => {
                self.running_containers = Some(line.value as u32);
            }
            "kubelet_pleg_last_seen_seconds" => self.pleg_last_seen = Some(line.value),
            "process_start_time_seconds" => self.started = Some(line.value),
            "process_cpu_seconds_total" => self.cpu_seconds = Some(line.value),
            API_REQUESTS => self.take_requests(line),
            _ => self.take_histogram(line),
        }
    }

    fn take_requests(&mut self, line: Line<'_>) {
        // Renewals of the Lease are nearly all PUTs a kubelet makes.
        let succeeded = line.label("code").is_some_and(|code| code.starts_with('2'));
        if line.label("method") == Some("PUT") {
            let renewed = if succeeded { line.value } else { 0.0 };
            *self.renewals.get_or_insert_default() += renewed;
        }
        self.api_requests.get_or_insert_default().take(line);
    }

    fn take_histogram(&mut self, line: Line<'_>) {
        let Some((family, part)) = line.name.rsplit_once('_') else {
            return;
        };
        let key = match family {
            RUNTIME => {
                let operation = line.label("operation_type");
                RUNTIME_OPERATIONS
                    .into_iter()
                    .find(|known| operation == Some(known))
            }
            // As above; they may come under several hosts.
            API => (line.label("verb") == Some("PUT")).then_some(API),
            PLEG_RELIST => Some(PLEG_RELIST),
            PLEG_INTERVAL => Some(PLEG_INTERVAL),
            _ => None,
        };
        let Some(key) = key else {
            return;
        };
        let histogram = self.histograms.entry(key).or_default();
        match part {
            "count" => histogram.count += line.value,
            "sum" => histogram.sum += line.value,
            "bucket" => {
                if let Some(bound) = line.label("le").and_then(|bound| bound.parse().ok()) {
                    histogram.add(bound, line.value);
                }
            }
            _ => {}
        }
    }

    /// The figures of the interval from `before` to this scrape; without one, only what needs no interval.
    pub(super) fn since(&self, before: Option<&Self>, now: Moment) -> KubeletMetrics {
        let nothing = Self::default();
        let before = match before {
            Some(before) if self.started_after(before, now) => Some(&nothing),
            before => before,
        };
        let latency = |key: &'static str, operation: &str| {
            let now = self.histograms.get(key)?;
            let before = before?.histograms.get(key).cloned().unwrap_or_default();
            Some(now.since(&before, operation))
        };
        let requests = self
            .api_requests
            .zip(before)
            .map(|(now, before)| now.since(before.api_requests.unwrap_or_default()));
        KubeletMetrics {
            running_pods: self.running_pods,
            running_containers: self.running_containers,
            runtime_operations: RUNTIME_OPERATIONS
                .into_iter()
                .filter_map(|operation| latency(operation, operation))
                .collect(),
            pleg_relist: latency(PLEG_RELIST, "pleg_relist"),
            pleg_relist_interval: latency(PLEG_INTERVAL, "pleg_relist_interval"),
            pleg_last_seen_age: self
                .pleg_last_seen
                .and_then(|seen| age(seen, now.wall))
                .map(wire::duration),
            api_put: latency(API, "api_put"),
            cpu_cores: before.and_then(|before| {
                let used = self.cpu_seconds? - before.cpu_seconds?;
                let interval = self.at.saturating_sub(before.at).as_secs_f64();
                (used >= 0.0 && interval > 0.0).then(|| used / interval)
            }),
            start_time: self.started.and_then(start_time),
            api_requests: requests.map(|requests| requests.all as u64),
            api_unanswered: requests.map(|requests| requests.unanswered as u64),
            api_refused: requests.map(|requests| requests.refused as u64),
            told_before: false,
            renewals: self.renewals.map(|renewals| RenewalCount {
                asked_monotonic: Some(wire::duration(self.asked)),
                answered_monotonic: Some(wire::duration(self.at)),
                renewals: renewals as u64,
            }),
        }
    }

    /// Whether the kubelet says that it started after `before` was read. Its age tells, not its start: that moves when the
    /// wall clock is set.
    fn started_after(&self, before: &Self, now: Moment) -> bool {
        let passed = now.monotonic.saturating_sub(before.at).as_secs_f64();
        self.started
            .is_some_and(|started| unix_seconds(now.wall) - started < passed + START_RESOLUTION)
    }
}

impl Requests {
    /// Adds one series.
    fn take(&mut self, line: Line<'_>) {
        let code = line.label("code").unwrap_or_default();
        self.all += line.value;
        if code == UNANSWERED {
            self.unanswered += line.value;
        }
        if code == "429" || (code.len() == 3 && code.starts_with('5')) {
            self.refused += line.value;
        }
    }

    /// The requests since `before`. When any of them went back, the kubelet was restarted in between: those since its start.
    fn since(self, before: Self) -> Self {
        let difference = Self {
            all: self.all - before.all,
            unanswered: self.unanswered - before.unanswered,
            refused: self.refused - before.refused,
        };
        let restarted = [difference.all, difference.unanswered, difference.refused]
            .iter()
            .any(|&requests| requests < 0.0);
        if restarted { self } else { difference }
    }
}

impl Histogram {
    /// Adds to the bucket of this bound; several series of one family are summed.
    fn add(&mut self, bound: f64, count: f64) {
        match self
            .buckets
            .iter_mut()
            .find(|bucket| bucket.0.total_cmp(&bound).is_eq())
        {
            Some(bucket) => bucket.1 += count,
            None => self.buckets.push((bound, count)),
        }
    }

    /// The calls since `before`. When it went back, the kubelet was restarted in between: those since its start.
    fn since(&self, before: &Self, operation: &str) -> Latency {
        let restarted = self.count < before.count || self.sum < before.sum;
        let nothing = Self::default();
        let before = if restarted { &nothing } else { before };
        let calls = self.count - before.count;
        let mut latency = Latency {
            operation: operation.into(),
            calls: calls as u64,
            ..Latency::default()
        };
        if calls >= 1.0 {
            let mean = (self.sum - before.sum) / calls;
            latency.mean = Duration::try_from_secs_f64(mean).ok().map(wire::duration);
            latency.p99_bound = self.bound_of(0.99 * calls, before).map(wire::duration);
        }
        latency
    }

    /// The smallest bound below which `rank` of the calls since `before` stayed. `None` when only the unbounded one has them.
    fn bound_of(&self, rank: f64, before: &Self) -> Option<Duration> {
        let earlier = |bound: f64| {
            before
                .buckets
                .iter()
                .find(|bucket| bucket.0.total_cmp(&bound).is_eq())
                .map_or(0.0, |bucket| bucket.1)
        };
        self.buckets
            .iter()
            .filter(|(bound, count)| count - earlier(*bound) >= rank)
            .map(|(bound, _)| *bound)
            .min_by(f64::total_cmp)
            .and_then(|bound| Duration::try_from_secs_f64(bound).ok())
    }
}

/// Time since `seen`, a Unix time in seconds by the node's wall clock. `None` when it is in the future.
fn age(seen: f64, now: Timestamp) -> Option<Duration> {
    let now = unix_seconds(now);
    // The kubelet may have written it a moment after the agent read its clock.
    Duration::try_from_secs_f64((now - seen).max(0.0))
        .ok()
        .filter(|_| seen < now + 1.0)
}

/// A Unix time in seconds on the wire. `None` when it is beyond the years 1970 to 9999.
fn start_time(seconds: f64) -> Option<prost_types::Timestamp> {
    let since = SignedDuration::try_from_secs_f64(seconds).ok()?;
    let time = Timestamp::UNIX_EPOCH.checked_add(since).ok()?;
    Some(wire::timestamp(time))
}

fn unix_seconds(time: Timestamp) -> f64 {
    time.as_nanosecond() as f64 / 1e9
}

#[cfg(test)]
mod tests;
