//! Filters after AIP-160: `state = NEAR AND margin < 20s`, `name:pool-*`, `NOT connected`.
//!
//! As in the AIP, OR binds tighter than AND, and terms side by side are joined by AND. A comparison with a figure that is not
//! known is false, whatever the comparator; `margin:*` asks whether it is known.

mod lex;
mod literal;
mod parse;

use super::field::{Field, Value};
use literal::Literal;

/// Longest filter in bytes: room for dozens of comparisons, and little to do for whoever must parse it.
const MAX_LENGTH: usize = 2048;

/// A parsed filter.
#[derive(Debug)]
pub(crate) struct Filter(Option<Expression>);

/// What is wrong with a filter, and where.
#[derive(Debug, thiserror::Error)]
#[error("filter: position {position}: {problem}")]
pub(crate) struct FilterError {
    /// Character at which it goes wrong, from 1.
    position: usize,
    problem: String,
}

#[derive(Debug)]
enum Expression {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// The field is known.
    Known(Field),
    Compare(Field, Comparator, Literal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
}

impl Filter {
    /// Parses `text`; an empty one matches every node.
    ///
    /// # Errors
    /// When it is malformed, names an unknown field, or compares a field with something it cannot be compared with.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_LENGTH {
            return Err(FilterError::at(
                MAX_LENGTH + 1,
                format!("longer than {MAX_LENGTH} bytes"),
            ));
        }
        parse::parse(&lex::tokens(text)?, text.chars().count() + 1).map(Self)
    }

    /// Whether the node whose figures `figure` gives matches.
    pub(crate) fn matches<'a>(&self, figure: &dyn Fn(Field) -> Option<Value<'a>>) -> bool {
        self.0
            .as_ref()
            .is_none_or(|expression| expression.holds(figure))
    }
}

impl Expression {
    fn holds<'a>(&self, figure: &dyn Fn(Field) -> Option<Value<'a>>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(figure)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(figure)),
            Self::Not(part) => !part.holds(figure),
            Self::Known(field) => figure(*field).is_some(),
            Self::Compare(field, comparator, literal) => {
                figure(*field).is_some_and(|value| literal.compares(*comparator, value))
            }
        }
    }
}

impl FilterError {
    fn at(position: usize, problem: impl Into<String>) -> Self {
        Self {
            position,
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nodegrace_proto::v1;

    use super::*;

    /// A node NEAR the grace period, 12 s of margin left, not connected, its running gap unknown.
    fn node(field: Field) -> Option<Value<'static>> {
        Some(match field {
            Field::Name => Value::Text("pool-a-1"),
            Field::State => Value::State(v1::State::Near),
            Field::Ready => Value::Ready(v1::ConditionStatus::True),
            Field::Margin => Value::Seconds(12.0),
            Field::GapP99 => Value::Seconds(38.0),
            Field::ExpectedFlips => Value::Number(0.04),
            Field::KubeletVersion => Value::Text("v1.36.2"),
            Field::Cause => Value::Text("IO_STALLED"),
            Field::Connected => Value::Flag(false),
            _ => return None,
        })
    }

    fn holds(filter: &str) -> bool {
        Filter::parse(filter)
            .unwrap_or_else(|error| panic!("{filter}: {error}"))
            .matches(&node)
    }

    fn error(filter: &str) -> String {
        Filter::parse(filter)
            .expect_err("a malformed filter")
            .to_string()
    }

    #[test]
    fn an_empty_filter_matches_every_node() {
        assert!(holds("") && holds("   "));
    }

    #[test]
    fn comparisons_follow_the_kind_of_the_field() {
        for filter in [
            "state = NEAR",
            "state=STATE_NEAR",
            "state != OK",
            "ready = TRUE",
            "margin < 20s",
            "margin >= 12s",
            "gap_p99 > 37500ms",
            "gap_p99 <= 1m30s",
            "margin > -5s",
            "expected_flips > 0.01",
            "name = pool-a-1",
            "name = \"pool-*-1\"",
            "name:pool-a",
            "name:'pool-*'",
            "kubelet_version:v1.36.*",
            "cause = IO_STALLED",
            "cause != CAUSE_KIND_UNKNOWN",
            "connected = false",
            "margin:*",
        ] {
            assert!(holds(filter), "{filter}");
            assert!(!holds(&format!("NOT {filter}")), "NOT {filter}");
        }
    }

    #[test]
    fn or_binds_tighter_than_and_as_in_the_aip() {
        assert!(holds("NOT connected AND state = OK OR margin < 20s"));
        assert!(!holds("connected AND state = OK OR margin < 20s"));
        assert!(holds("(connected AND state = OK) OR margin < 20s"));
        assert!(holds("-connected name:pool"), "side by side means AND");
        assert!(holds("-(connected OR state = OK)"));
    }

    #[test]
    fn a_comparison_with_an_unknown_figure_is_false() {
        assert!(!holds("running_gap > 1s") && !holds("running_gap <= 1s"));
        assert!(!holds("running_gap != 1s") && holds("NOT running_gap:*"));
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (filter, wanted) in [
            ("stat = OK", "position 1: unknown field \"stat\""),
            ("risk > 1", "position 1: unknown field \"risk\""),
            ("state = FINE", "position 9: \"FINE\" is no state"),
            (
                "state = NEAR OR state = NO_AGENT",
                "position 25: nodes without an agent are not listed; agent_coverage of GetFleet",
            ),
            ("margin < 20", "position 10: \"20\" is no duration"),
            ("margin < 20 s", "position 10: \"20\" is no duration"),
            (
                "expected_flips > much",
                "position 18: \"much\" is no number",
            ),
            ("cause = DISK", "position 9: \"DISK\" is no cause"),
            ("state < OK", "position 7: state can be compared with"),
            ("name < a", "position 6: name can be compared with"),
            (
                "(state = OK",
                "position 12: a closing parenthesis is missing",
            ),
            ("state = OK)", "position 11: nothing was opened here"),
            ("state =", "position 8: a value is missing"),
            ("AND state = OK", "position 1: a comparison is missing"),
            ("state = OK AND", "position 15: a comparison is missing"),
            ("state = \"OK", "position 9: the quote is never closed"),
            ("margin", "position 1: margin needs a comparison"),
            ("state ! OK", "position 7: unexpected '!'"),
        ] {
            let error = error(filter);
            assert!(error.contains(wanted), "{filter}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(
            text in "(\\PC|[-a-z_ ()<>=!:*\"'\\\\]|AND |OR |NOT |margin |state ){0,40}",
        ) {
            if let Ok(filter) = Filter::parse(&text) {
                filter.matches(&node);
            }
        }
    }

    #[test]
    fn a_filter_too_long_or_too_deep_is_refused() {
        assert!(error(&"x".repeat(MAX_LENGTH + 1)).contains("longer than"));
        assert!(error(&"(".repeat(1000)).contains("nested deeper"));
        assert!(error(&"NOT ".repeat(500)).contains("nested deeper"));
    }
}
