//! The two text formats of Prometheus. Histograms have their fixed bounds there, and no exponential buckets.

use std::fmt::{self, Write as _};

use super::family::{Family, Kind, Metric, Value};

/// The families as text; `open` as `OpenMetrics` has it.
pub(super) fn text(families: &[Family], open: bool) -> String {
    let mut text = String::new();
    for family in families {
        // A String takes all that is written.
        let _ = write_family(&mut text, family, open);
    }
    if open {
        text.push_str("# EOF\n");
    }
    text
}

fn write_family(text: &mut String, family: &Family, open: bool) -> fmt::Result {
    let Family {
        name, help, kind, ..
    } = family;
    let (word, suffix) = match kind {
        Kind::Gauge => ("gauge", ""),
        Kind::Counter => ("counter", "_total"),
        Kind::Histogram => ("histogram", ""),
    };
    // Only the older format has the suffix in the name of the family.
    let named = if open { "" } else { suffix };
    writeln!(text, "# HELP {name}{named} {help}")?;
    writeln!(text, "# TYPE {name}{named} {word}")?;
    for metric in &family.metrics {
        match &metric.value {
            Value::Number(value) => line(text, name, suffix, metric, None, *value)?,
            Value::Histogram(histogram) => {
                for (bound, count) in histogram.up_to() {
                    let bound = if bound.is_finite() {
                        bound.to_string()
                    } else {
                        "+Inf".to_owned()
                    };
                    line(text, name, "_bucket", metric, Some(&bound), count as f64)?;
                }
                line(text, name, "_sum", metric, None, histogram.sum())?;
                line(text, name, "_count", metric, None, histogram.count() as f64)?;
            }
        }
    }
    Ok(())
}

fn line(
    text: &mut String,
    name: &str,
    suffix: &str,
    metric: &Metric,
    bound: Option<&str>,
    value: f64,
) -> fmt::Result {
    write!(text, "{name}{suffix}")?;
    let labels = metric.labels.iter();
    let labels = labels.map(|(label, value)| (*label, value.as_str()));
    let mut separator = '{';
    for (label, value) in labels.chain(bound.map(|bound| ("le", bound))) {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        write!(text, "{separator}{label}=\"{value}\"")?;
        separator = ',';
    }
    let end = if separator == ',' { "}" } else { "" };
    writeln!(text, "{end} {value}")
}
