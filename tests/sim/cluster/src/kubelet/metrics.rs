//! What a kubelet says of itself in `/metrics`: the families an agent reads, as real histograms and counters.

use std::{collections::BTreeMap, time::Duration};

use super::{figures::Figures, requests::Request};

/// Buckets of the runtime operations, in seconds: 5 ms, each 2.5 times the one before.
const OPERATION_BUCKETS: [f64; 14] = [
    0.005,
    0.0125,
    0.031_25,
    0.078_125,
    0.195_312_5,
    0.488_281_25,
    1.220_703_125,
    3.051_757_812_5,
    7.629_394_531_25,
    19.073_486_328_125,
    47.683_715_820_312_5,
    119.209_289_550_781_25,
    298.023_223_876_953_1,
    745.058_059_692_382_8,
];

/// Prometheus' default buckets, which the PLEG's families have.
const PLEG_BUCKETS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Buckets of the API client's request durations.
const CLIENT_BUCKETS: [f64; 12] = [
    0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0,
];

/// The label that names the API server.
const HOST: &str = "host=\"api.simulated:6443\"";

/// A histogram that also takes fractions of calls: what is left over waits for the next interval.
#[derive(Clone, Debug)]
struct Histogram {
    bounds: &'static [f64],
    counts: Vec<u64>,
    beyond: u64,
    sum: f64,
    owed: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len()],
            beyond: 0,
            sum: 0.0,
            owed: 0.0,
        }
    }

    /// Books `calls` calls of one length.
    fn observe(&mut self, calls: f64, length: Duration) {
        self.owed += calls;
        let whole = self.owed.floor();
        self.owed -= whole;
        let seconds = length.as_secs_f64();
        self.sum += whole * seconds;
        let bucket = self.bounds.partition_point(|bound| *bound < seconds);
        match self.counts.get_mut(bucket) {
            Some(count) => *count += whole as u64,
            None => self.beyond += whole as u64,
        }
    }

    fn count(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.beyond
    }

    fn write(&self, text: &mut Text, family: &str, labels: &str) {
        let separator = if labels.is_empty() { "" } else { "," };
        let mut below = 0;
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            below += count;
            text.line(&format!(
                "{family}_bucket{{{labels}{separator}le=\"{bound}\"}} {below}"
            ));
        }
        let all = self.count();
        text.line(&format!(
            "{family}_bucket{{{labels}{separator}le=\"+Inf\"}} {all}"
        ));
        let labels = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{labels}}}")
        };
        text.line(&format!("{family}_sum{labels} {}", self.sum));
        text.line(&format!("{family}_count{labels} {all}"));
    }
}

/// Lines of the text exposition format.
#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str) {
        self.line(&format!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0 += "\n";
    }
}

/// The metrics of one kubelet process.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pid: Option<u32>,
    at: Duration,
    operations: BTreeMap<&'static str, Histogram>,
    relist: Histogram,
    relist_interval: Histogram,
    /// Wall time of the last relist, in seconds since the Unix epoch.
    relisted: f64,
    /// Durations of requests to the API server, by verb.
    durations: BTreeMap<&'static str, Histogram>,
    /// Requests to the API server, by verb and code.
    requests: BTreeMap<(&'static str, String), u64>,
    /// Requests besides the heartbeats that are not whole yet.
    owed: f64,
    /// Age of the process, by which it knows when it started.
    age: Duration,
    wall: f64,
    cpu_seconds: f64,
    running_pods: u32,
    running_containers: u32,
}

impl Metrics {
    /// The metrics of a kubelet that starts now.
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            pid: None,
            at: now,
            operations: BTreeMap::new(),
            relist: Histogram::new(&PLEG_BUCKETS),
            relist_interval: Histogram::new(&PLEG_BUCKETS),
            relisted: 0.0,
            durations: BTreeMap::new(),
            requests: BTreeMap::new(),
            owed: 0.0,
            age: Duration::ZERO,
            wall: 0.0,
            cpu_seconds: 0.0,
            running_pods: 0,
            running_containers: 0,
        }
    }

    /// Books what the kubelet did from the last call until `now`: its `requests` to the API server that were heartbeats, and what
    /// goes on all the time. A kubelet that is `paused` does nothing; a new process begins at zero.
    pub(super) fn advance(
        &mut self,
        now: Duration,
        wall: f64,
        age: Duration,
        figures: &Figures,
        requests: &[Request],
        paused: bool,
    ) {
        let pid = figures.kubelet.map(|process| process.pid);
        if pid.is_some() && self.pid.is_some() && pid != self.pid {
            *self = Self::new(self.at);
        }
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.age = age;
        self.wall = wall;
        let Some(process) = figures.kubelet.filter(|_| !paused) else {
            return;
        };
        self.pid = pid;
        self.cpu_seconds += process.cores * seconds;
        let runtime = figures.runtime;
        self.running_pods = runtime.ready_sandboxes;
        self.running_containers = runtime.running_containers;

        // The PLEG relists every second, or one relist after the other where each takes longer.
        let relist = runtime.list_sandboxes + runtime.list_containers;
        let interval = Duration::from_secs(1) + relist;
        let relists = seconds / interval.as_secs_f64();
        self.relist.observe(relists, relist);
        self.relist_interval.observe(relists, interval);
        self.relisted = wall;
        // Housekeeping lists as well, every two seconds.
        let lists = relists + seconds / (2.0 + relist.as_secs_f64());
        for (operation, calls, length) in [
            ("list_podsandbox", lists, runtime.list_sandboxes),
            ("list_containers", lists, runtime.list_containers),
            ("list_images", seconds / 30.0, runtime.list_images),
            ("status", seconds / 5.0, runtime.status),
            ("version", seconds / 10.0, runtime.version),
        ] {
            self.operations
                .entry(operation)
                .or_insert_with(|| Histogram::new(&OPERATION_BUCKETS))
                .observe(calls, length);
        }
        for request in requests {
            self.book(*request);
        }
        self.owed += seconds * figures.requests.per_second;
        while self.owed >= 1.0 {
            self.owed -= 1.0;
            self.book(Request {
                verb: "POST",
                code: figures.requests.code,
                took: figures.requests.took,
            });
        }
    }

    fn book(&mut self, request: Request) {
        let Request { verb, code, took } = request;
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        *self.requests.entry((verb, code)).or_default() += 1;
        self.durations
            .entry(verb)
            .or_insert_with(|| Histogram::new(&CLIENT_BUCKETS))
            .observe(1.0, took);
    }

    /// The text of `/metrics`.
    pub(crate) fn text(&self) -> String {
        let mut text = Text::default();
        text.family("kubelet_pleg_last_seen_seconds", "gauge");
        text.line(&format!("kubelet_pleg_last_seen_seconds {}", self.relisted));
        for (family, histogram) in [
            ("kubelet_pleg_relist_duration_seconds", &self.relist),
            (
                "kubelet_pleg_relist_interval_seconds",
                &self.relist_interval,
            ),
        ] {
            text.family(family, "histogram");
            histogram.write(&mut text, family, "");
        }
        text.family("kubelet_running_containers", "gauge");
        text.line(&format!(
            "kubelet_running_containers{{container_state=\"running\"}} {}",
            self.running_containers
        ));
        text.family("kubelet_running_pods", "gauge");
        text.line(&format!("kubelet_running_pods {}", self.running_pods));
        let family = "kubelet_runtime_operations_duration_seconds";
        text.family(family, "histogram");
        for (operation, histogram) in &self.operations {
            histogram.write(
                &mut text,
                family,
                &format!("operation_type=\"{operation}\""),
            );
        }
        text.family("process_cpu_seconds_total", "counter");
        text.line(&format!(
            "process_cpu_seconds_total {:.2}",
            self.cpu_seconds
        ));
        // The process reads its start from its age and the machine's wall clock, whenever it is asked.
        text.family("process_start_time_seconds", "gauge");
        text.line(&format!(
            "process_start_time_seconds {:.2}",
            self.wall - self.age.as_secs_f64()
        ));
        let family = "rest_client_request_duration_seconds";
        text.family(family, "histogram");
        for (verb, histogram) in &self.durations {
            histogram.write(&mut text, family, &format!("{HOST},verb=\"{verb}\""));
        }
        let family = "rest_client_requests_total";
        text.family(family, "counter");
        for ((verb, code), count) in &self.requests {
            text.line(&format!(
                "{family}{{code=\"{code}\",{HOST},method=\"{verb}\"}} {count}"
            ));
        }
        text.0
    }
}
