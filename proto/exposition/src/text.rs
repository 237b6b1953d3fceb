//! The two text formats that Prometheus reads, written family by family.
//!
//! `prometheus-client` keeps every family for the life of the process and writes `OpenMetrics` only. Here thousands of nodes come
//! and go, their figures are made at the scrape, and old scrapers want the older format, so it is written directly.

use std::fmt::{self, Write as _};

use crate::{accept::accepts, number};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The Prometheus text format 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

/// What the samples of a family are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that goes up, but for resets. Its name is given without `_total`.
    Counter,
    /// Quantiles with a count and, where it is known, a sum.
    Summary,
    /// Counts of values up to bounds, and their sum.
    Histogram,
}

/// Labels of a sample.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// An exposition being written.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
}

/// A family being written. All its samples follow each other, as both formats demand.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
    /// What follows the name of a sample.
    suffix: &'static str,
}

impl Format {
    /// The format that a request with this `Accept` header wants.
    ///
    /// `OpenMetrics` when it is asked for at all: who names it prefers it, or names 0.0.4 as what it can do besides.
    pub fn accepted(accept: &str) -> Self {
        if accepts(accept, "application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its name in a `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Exposition {
    /// An empty one.
    pub const fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
        }
    }

    /// Begins the family `name`. One without samples is written too, so that people find it in the text.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &str) -> Family<'a> {
        let suffix = if kind == Kind::Counter { "_total" } else { "" };
        // Only the older format has the suffix in a counter's name.
        let named = match self.format {
            Format::Text => suffix,
            Format::OpenMetrics => "",
        };
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
            Kind::Summary => "summary",
            Kind::Histogram => "histogram",
        };
        let text = &mut self.text;
        put(text, format_args!("# HELP {name}{named} {help}\n"));
        put(text, format_args!("# TYPE {name}{named} {kind}\n"));
        Family { text, name, suffix }
    }

    /// A family of one sample without labels; none when its value is unknown.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: Option<f64>) {
        let mut family = self.family(name, kind, help);
        if let Some(value) = value {
            family.sample(&[], value);
        }
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// Writes a sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: f64) {
        self.line(self.suffix, labels, None, value);
    }

    /// Writes a summary.
    pub fn summary(
        &mut self,
        labels: Labels<'_>,
        quantiles: &[(&str, f64)],
        sum: Option<f64>,
        count: u64,
    ) {
        for (quantile, value) in quantiles {
            self.line("", labels, Some(("quantile", quantile)), *value);
        }
        if let Some(sum) = sum {
            self.line("_sum", labels, None, sum);
        }
        self.line("_count", labels, None, count as f64);
    }

    /// Writes a histogram: how many values are at most so large, the last of all values, and their sum.
    pub fn histogram(
        &mut self,
        labels: Labels<'_>,
        buckets: impl IntoIterator<Item = (f64, u64)>,
        sum: f64,
    ) {
        let mut all = 0;
        for (bound, count) in buckets {
            let bound = if bound.is_finite() {
                bound.to_string()
            } else {
                "+Inf".to_owned()
            };
            self.line("_bucket", labels, Some(("le", &bound)), count as f64);
            all = count;
        }
        self.line("_sum", labels, None, sum);
        self.line("_count", labels, None, all as f64);
    }

    fn line(&mut self, suffix: &str, labels: Labels<'_>, last: Option<(&str, &str)>, value: f64) {
        let text = &mut *self.text;
        text.push_str(self.name);
        text.push_str(suffix);
        let mut separator = '{';
        for (label, value) in labels.iter().copied().chain(last) {
            text.push(separator);
            text.push_str(label);
            text.push_str("=\"");
            escape(text, value);
            text.push('"');
            separator = ',';
        }
        text.push_str(if separator == ',' { "} " } else { " " });
        number::push(text, value);
        text.push('\n');
    }
}

/// Writes a label's value with what would end it made harmless.
fn escape(text: &mut String, value: &str) {
    // All three are characters of one byte, so that what lies between them is whole.
    let mut rest = value;
    while let Some(at) = rest
        .bytes()
        .position(|byte| matches!(byte, b'\\' | b'"' | b'\n'))
    {
        let (before, from) = rest.split_at(at);
        text.push_str(before);
        text.push_str(match from.as_bytes()[0] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &from[1..];
    }
    text.push_str(rest);
}

fn put(text: &mut String, what: fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("a String takes all that is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        let mut late = exposition.family("late_seconds", Kind::Counter, "Lateness.");
        late.sample(&[("node", "a\"\\\n")], 1.5);
        let mut gap = exposition.family("gap_seconds", Kind::Summary, "Gaps.");
        gap.summary(&[], &[("0.5", 10.0)], Some(40.0), 4);
        exposition.single("unknown", Kind::Gauge, "Not known.", None);
        exposition.finish()
    }

    #[test]
    fn a_counter_is_called_total_where_the_format_says_so() {
        let rest = "late_seconds_total{node=\"a\\\"\\\\\\n\"} 1.5\n\
                    # HELP gap_seconds Gaps.\n# TYPE gap_seconds summary\n\
                    gap_seconds{quantile=\"0.5\"} 10\ngap_seconds_sum 40\ngap_seconds_count 4\n\
                    # HELP unknown Not known.\n# TYPE unknown gauge\n";
        assert_eq!(
            written(Format::Text),
            format!(
                "# HELP late_seconds_total Lateness.\n# TYPE late_seconds_total counter\n{rest}"
            )
        );
        assert_eq!(
            written(Format::OpenMetrics),
            format!("# HELP late_seconds Lateness.\n# TYPE late_seconds counter\n{rest}# EOF\n")
        );
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            ("application/openmetrics-text;q=0, text/plain", Format::Text),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
