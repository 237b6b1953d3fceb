//! The two text formats of Prometheus. Histograms have their fixed bounds there, and no exponential buckets.

use nodegrace_exposition::{Exposition, Format};

use super::family::{Family, Value};

/// The families as text.
pub(super) fn text(families: &[Family], format: Format) -> String {
    let mut out = Exposition::new(format);
    for family in families {
        let mut written = out.family(family.name, family.kind, family.help);
        for metric in &family.metrics {
            let labels = metric.labels.iter();
            let labels: Vec<_> = labels
                .map(|(label, value)| (*label, value.as_str()))
                .collect();
            match &metric.value {
                Value::Number(value) => written.sample(&labels, *value),
                Value::Histogram(values) => {
                    written.histogram(&labels, values.up_to(), values.sum());
                }
            }
        }
    }
    out.finish()
}
