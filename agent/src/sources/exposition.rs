//! The Prometheus text format, line by line: just enough to pick some families out of a kubelet's thousands of lines.

/// One line that carries a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// Name of the metric, with `_bucket`, `_sum` or `_count` where it is part of a histogram.
    pub(super) name: &'a str,
    labels: &'a str,
    /// The value.
    pub(super) value: f64,
}

impl<'a> Line<'a> {
    /// Reads a line. `None` for comments, empty lines and lines that make no sense.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        let name_end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(name_end);
        let (labels, rest) = match rest.strip_prefix('{') {
            // A label's value may hold a brace; what follows the last one does not.
            Some(rest) => rest.rsplit_once('}')?,
            None => ("", rest),
        };
        // A timestamp may follow the value.
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self {
            name,
            labels,
            value,
        })
    }

    /// The value of a label, as it is written: escapes stay. `None`: no such label.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.labels;
        loop {
            let (label, value) = rest.split_once("=\"")?;
            let end = closing_quote(value)?;
            if label.trim_start_matches([',', ' ']) == name {
                return Some(&value[..end]);
            }
            rest = &value[end + 1..];
        }
    }
}

/// Where the quote is that ends a label's value.
fn closing_quote(value: &str) -> Option<usize> {
    let mut escaped = false;
    value.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_labels_and_a_value() {
        let line = Line::parse(r#"a_bucket{operation_type="list_images",le="0.005"} 17"#).unwrap();
        assert_eq!((line.name, line.value), ("a_bucket", 17.0));
        assert_eq!(line.label("operation_type"), Some("list_images"));
        assert_eq!(line.label("le"), Some("0.005"));
        assert_eq!(line.label("type"), None);
        let plain = Line::parse("process_cpu_seconds_total 12.5 1700000000").unwrap();
        assert_eq!(
            (plain.name, plain.value),
            ("process_cpu_seconds_total", 12.5)
        );
    }

    #[test]
    fn quotes_commas_and_braces_within_a_value_mislead_nobody() {
        let line = Line::parse(r#"a{x="q\"},y=\"no\"\\",y="1"} 2"#).unwrap();
        assert_eq!(line.label("y"), Some("1"));
    }

    #[test]
    fn comments_and_nonsense_are_skipped() {
        for line in ["", "# HELP a b", "a", "a{b=\"c\" 1", "a x", "}{"] {
            assert_eq!(Line::parse(line), None, "{line:?}");
        }
        assert_eq!(
            Line::parse("a{b=\"c} 1}").and_then(|line| line.label("b")),
            None
        );
        assert_eq!(
            Line::parse("a +Inf").map(|line| line.value),
            Some(f64::INFINITY)
        );
    }
}
