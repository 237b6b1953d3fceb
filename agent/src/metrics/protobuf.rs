//! The format in which a Prometheus before 3 takes native histograms: messages of `io.prometheus.client`, each after its length.
//! Only the fields that are written here are told; readers skip nothing for it.

use prost::Message;

use super::{
    family::{Family, Kind, Metric, Value},
    histogram::{Histogram, SCHEMA, ZERO},
};

/// The families, each after its length.
pub(super) fn delimited(families: &[Family]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for family in families.iter().filter(|family| !family.metrics.is_empty()) {
        bytes.extend(message(family).encode_length_delimited_to_vec());
    }
    bytes
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FamilyMessage {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(string, optional, tag = "2")]
    help: Option<String>,
    /// `COUNTER`, `GAUGE` or `HISTOGRAM`.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) metrics: Vec<MetricMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricMessage {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Number>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Number>,
    #[prost(message, optional, tag = "7")]
    pub(super) histogram: Option<HistogramMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Number {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct HistogramMessage {
    #[prost(uint64, optional, tag = "1")]
    pub(super) count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    bounds: Vec<Bound>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(uint64, optional, tag = "7")]
    zero_count: Option<u64>,
    #[prost(message, repeated, tag = "12")]
    pub(super) spans: Vec<Span>,
    /// Counts, each less the one before.
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    pub(super) deltas: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bound {
    /// Values up to it.
    #[prost(uint64, optional, tag = "1")]
    count: Option<u64>,
    #[prost(double, optional, tag = "2")]
    bound: Option<f64>,
}

/// Buckets that follow each other without one that is empty.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Span {
    /// Number of its first bucket; of the spans after the first, empty buckets since the one before.
    #[prost(sint32, optional, tag = "1")]
    pub(super) offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    pub(super) length: Option<u32>,
}

fn message(family: &Family) -> FamilyMessage {
    let (kind, suffix) = match family.kind {
        Kind::Counter => (0, "_total"),
        Kind::Gauge => (1, ""),
        Kind::Summary => (2, ""),
        Kind::Histogram => (4, ""),
    };
    FamilyMessage {
        name: Some(format!("{}{suffix}", family.name)),
        help: Some(family.help.to_owned()),
        kind: Some(kind),
        metrics: family
            .metrics
            .iter()
            .map(|metric| metric_message(metric, family.kind))
            .collect(),
    }
}

fn metric_message(metric: &Metric, kind: Kind) -> MetricMessage {
    let labels = metric.labels.iter().map(|(name, value)| Label {
        name: Some((*name).to_owned()),
        value: Some(value.clone()),
    });
    let mut message = MetricMessage {
        labels: labels.collect(),
        ..MetricMessage::default()
    };
    match &metric.value {
        Value::Number(value) => {
            let number = Some(Number {
                value: Some(*value),
            });
            if kind == Kind::Counter {
                message.counter = number;
            } else {
                message.gauge = number;
            }
        }
        Value::Histogram(histogram) => message.histogram = Some(histogram_message(histogram)),
    }
    message
}

fn histogram_message(histogram: &Histogram) -> HistogramMessage {
    let mut spans: Vec<Span> = Vec::new();
    let mut deltas = Vec::new();
    let (mut next, mut before) = (0, 0);
    for (bucket, count) in histogram.buckets() {
        match spans.last_mut() {
            Some(span) if bucket == next => span.length = span.length.map(|length| length + 1),
            _ => spans.push(Span {
                offset: Some(bucket - next),
                length: Some(1),
            }),
        }
        next = bucket + 1;
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        deltas.push(count - before);
        before = count;
    }
    let bounds = histogram.up_to().map(|(bound, count)| Bound {
        count: Some(count),
        bound: Some(bound),
    });
    HistogramMessage {
        count: Some(histogram.count()),
        sum: Some(histogram.sum()),
        bounds: bounds.collect(),
        schema: Some(SCHEMA),
        zero_threshold: Some(ZERO),
        zero_count: Some(histogram.zeros()),
        spans,
        deltas,
    }
}
