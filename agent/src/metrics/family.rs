//! What a scrape is made of, whatever its format: families of metrics.

pub(super) use nodegrace_exposition::Kind;

use super::histogram::Histogram;

/// Metrics of one name.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Its name; that of a counter without `_total`.
    pub(super) name: &'static str,
    /// What it says.
    pub(super) help: &'static str,
    /// What its values are.
    pub(super) kind: Kind,
    /// Its metrics. Empty: nothing is known.
    pub(super) metrics: Vec<Metric>,
}

/// One metric.
#[derive(Clone, Debug)]
pub(super) struct Metric {
    /// Names and values of its labels.
    pub(super) labels: Vec<(&'static str, String)>,
    /// What it says.
    pub(super) value: Value,
}

/// What a metric says.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Of a gauge or a counter.
    Number(f64),
    /// Of a histogram.
    Histogram(Histogram),
}

impl Family {
    /// A family without metrics.
    pub(super) const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self {
            name,
            help,
            kind,
            metrics: Vec::new(),
        }
    }

    /// The same with a metric more.
    pub(super) fn with(mut self, labels: &[(&'static str, &str)], value: Value) -> Self {
        let labels = labels.iter();
        self.metrics.push(Metric {
            labels: labels
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            value,
        });
        self
    }

    /// The same with a number more; without, if it is not known.
    pub(super) fn number(self, labels: &[(&'static str, &str)], value: Option<f64>) -> Self {
        match value {
            Some(value) => self.with(labels, Value::Number(value)),
            None => self,
        }
    }

    /// The same with a histogram more.
    pub(super) fn histogram(self, labels: &[(&'static str, &str)], value: &Histogram) -> Self {
        self.with(labels, Value::Histogram(value.clone()))
    }
}
