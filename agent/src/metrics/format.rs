//! The formats there are, and which one a scraper asks for.

use nodegrace_exposition as exposition;

use super::{family::Family, protobuf, text};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// One of the text formats.
    Text(exposition::Format),
    /// Messages of protobuf, which alone have native histograms.
    Protobuf,
}

impl Format {
    /// The format that a request with this `Accept` header wants. Whoever names protobuf wants native histograms.
    pub(super) fn accepted(accept: &str) -> Self {
        if exposition::accepts(accept, "application/vnd.google.protobuf") {
            Self::Protobuf
        } else {
            Self::Text(exposition::Format::accepted(accept))
        }
    }

    /// Its name in a `Content-Type` header.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text(format) => format.content_type(),
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// The families in it.
    pub(super) fn write(self, families: &[Family]) -> Vec<u8> {
        match self {
            Self::Text(format) => text::text(families, format).into_bytes(),
            Self::Protobuf => protobuf::delimited(families),
        }
    }
}

#[cfg(test)]
mod tests {
    use nodegrace_exposition::Format::{OpenMetrics, Text};

    use super::*;

    #[test]
    fn who_asks_for_protobuf_or_openmetrics_gets_it() {
        for (accept, format) in [
            ("", Format::Text(Text)),
            ("*/*", Format::Text(Text)),
            ("text/plain;version=0.0.4", Format::Text(Text)),
            (
                "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                Format::Text(OpenMetrics),
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
                Format::Protobuf,
            ),
            (
                "application/vnd.google.protobuf; q=0, text/plain",
                Format::Text(Text),
            ),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }
}
