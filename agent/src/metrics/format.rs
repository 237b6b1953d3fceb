//! The formats there are, and which one a scraper asks for.

use super::{family::Family, protobuf, text};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The Prometheus text format 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
    /// Messages of protobuf, which alone have native histograms.
    Protobuf,
}

impl Format {
    /// The format that a request with this `Accept` header wants. Whoever names protobuf wants native histograms; whoever names
    /// `OpenMetrics` names 0.0.4 only as what it can do besides.
    pub(super) fn accepted(accept: &str) -> Self {
        let names = |range: &str| {
            accept.split(',').any(|one| {
                let mut parts = one.split(';').map(str::trim);
                let named = parts.next() == Some(range);
                named && !parts.any(|part| part.strip_prefix("q=").is_some_and(is_zero))
            })
        };
        if names("application/vnd.google.protobuf") {
            Self::Protobuf
        } else if names("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    /// Its name in a `Content-Type` header.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The families in it.
    pub(super) fn write(self, families: &[Family]) -> Vec<u8> {
        match self {
            Self::Text => text::text(families, false).into_bytes(),
            Self::OpenMetrics => text::text(families, true).into_bytes(),
            Self::Protobuf => protobuf::delimited(families),
        }
    }
}

fn is_zero(quality: &str) -> bool {
    quality.parse() == Ok(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_protobuf_or_openmetrics_gets_it() {
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
                Format::Protobuf,
            ),
            (
                "application/vnd.google.protobuf; q=0, text/plain",
                Format::Text,
            ),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
