//! Errors in words, for logs and reasons on the wire.

use std::error::Error;

/// An error and its causes on one line. Causes that the text so far already contains are left out: many libraries repeat
/// their source in their own words.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    with_causes(flat(&error.to_string()), error.source())
}

/// `line`, with a cause and the causes of that.
pub fn with_causes(mut line: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
    while let Some(error) = cause {
        let words = flat(&error.to_string());
        if !line.contains(&words) {
            line.push_str(": ");
            line.push_str(&words);
        }
        cause = error.source();
    }
    line
}

/// Words without line breaks.
pub fn flat(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_says_each_cause_once() {
        let inner = std::io::Error::other("connection refused");
        let error = anyhow::Error::new(inner)
            .context("connect to\n  10.0.0.1")
            .context("list nodes");
        assert_eq!(
            one_line(error.as_ref()),
            "list nodes: connect to 10.0.0.1: connection refused"
        );
    }
}
