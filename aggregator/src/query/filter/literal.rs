//! The values a filter compares with.

use std::cmp::Ordering;

use nodegrace_proto::v1;

use super::Comparator;
use crate::query::field::{Kind, Value};

/// Units of a duration and their length in seconds; the longer of two that start alike comes first.
const UNITS: [(&str, f64); 7] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
    ("d", 86400.0),
];

/// What the names of all kinds of causes begin with on the wire.
const CAUSE_PREFIX: &str = "CAUSE_KIND_";

/// A value written in a filter, of the kind of the field it is compared with.
#[derive(Debug)]
pub(super) enum Literal {
    /// Parts of a text between asterisks, each of which stands for any text.
    Text(Vec<String>),
    State(v1::State),
    Ready(v1::ConditionStatus),
    /// The name of a kind of cause, without its prefix.
    Cause(String),
    Number(f64),
    Flag(bool),
}

impl Literal {
    /// Reads `text` as a value of this kind.
    ///
    /// # Errors
    /// When it is none: the sentence says what would be one.
    pub(super) fn parse(kind: Kind, text: &str) -> Result<Self, String> {
        match kind {
            Kind::Text => Ok(Self::Text(text.split('*').map(str::to_owned).collect())),
            Kind::State => enum_value(text, "STATE_", v1::State::from_str_name)
                .filter(|state| *state != v1::State::Unspecified)
                .map(Self::State)
                .ok_or_else(|| format!("{text:?} is no state; one is NEAR or STATE_NEAR")),
            Kind::Ready => enum_value(
                text,
                "CONDITION_STATUS_",
                v1::ConditionStatus::from_str_name,
            )
            .filter(|status| *status != v1::ConditionStatus::Unspecified)
            .map(Self::Ready)
            .ok_or_else(|| format!("{text:?} is no status; there are TRUE, FALSE and UNKNOWN")),
            Kind::Cause => enum_value(text, CAUSE_PREFIX, v1::CauseKind::from_str_name)
                .filter(|kind| *kind != v1::CauseKind::Unspecified)
                .map(|kind| Self::Cause(kind.as_str_name().replacen(CAUSE_PREFIX, "", 1)))
                .ok_or_else(|| {
                    format!("{text:?} is no cause; one is IO_STALLED or CAUSE_KIND_IO_STALLED")
                }),
            Kind::Seconds => seconds(text)
                .map(Self::Number)
                .ok_or_else(|| format!("{text:?} is no duration; one is 20s, 250ms or 1m30s")),
            Kind::Number => text
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .map(Self::Number)
                .ok_or_else(|| format!("{text:?} is no number; one is 0.5")),
            Kind::Flag => text
                .parse()
                .map(Self::Flag)
                .map_err(|_| format!("{text:?} is neither true nor false")),
        }
    }

    /// Where to look for what no list of nodes holds, in words: an empty list would say that there is none.
    pub(super) fn found_nowhere(&self, comparator: Comparator) -> Option<&'static str> {
        let is_unlisted = matches!(self, Self::State(v1::State::NoAgent));
        (is_unlisted && comparator != Comparator::NotEqual).then_some(
            "nodes without an agent are not listed; agent_coverage of GetFleet names them",
        )
    }

    /// Whether `value` compares with this as the comparator says.
    pub(super) fn compares(&self, comparator: Comparator, value: Value<'_>) -> bool {
        let order = match (self, value) {
            (Self::Text(parts), Value::Text(text)) => {
                return matches_text(parts, comparator, text);
            }
            (Self::Cause(wanted), Value::Text(kind)) => kind.cmp(wanted),
            (Self::State(wanted), Value::State(state)) => (state as i32).cmp(&(*wanted as i32)),
            (Self::Ready(wanted), Value::Ready(status)) => (status as i32).cmp(&(*wanted as i32)),
            (Self::Number(wanted), Value::Seconds(number) | Value::Number(number)) => {
                number.total_cmp(wanted)
            }
            (Self::Flag(wanted), Value::Flag(flag)) => flag.cmp(wanted),
            // The parser makes literals of the field's kind only.
            _ => return false,
        };
        match comparator {
            Comparator::Equal | Comparator::Has => order == Ordering::Equal,
            Comparator::NotEqual => order != Ordering::Equal,
            Comparator::Less => order == Ordering::Less,
            Comparator::LessOrEqual => order != Ordering::Greater,
            Comparator::Greater => order == Ordering::Greater,
            Comparator::GreaterOrEqual => order != Ordering::Less,
        }
    }
}

/// For a comparator that makes no sense with values of `kind`: those that do, in words.
pub(super) fn refused(kind: Kind, comparator: Comparator) -> Option<&'static str> {
    let ordering = !matches!(
        comparator,
        Comparator::Equal | Comparator::NotEqual | Comparator::Has
    );
    (ordering && !matches!(kind, Kind::Seconds | Kind::Number)).then_some("=, != and :")
}

/// `:` finds the text anywhere, unless asterisks say where it stands; the others compare the whole of it.
fn matches_text(parts: &[String], comparator: Comparator, text: &str) -> bool {
    match (comparator, parts) {
        (Comparator::Has, [part]) => text.contains(part.as_str()),
        (Comparator::NotEqual, _) => !matches_parts(parts, text),
        _ => matches_parts(parts, text),
    }
}

fn matches_parts(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else {
        return parts.iter().all(|part| part == text);
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

fn enum_value<T>(text: &str, prefix: &str, from_name: fn(&str) -> Option<T>) -> Option<T> {
    from_name(text).or_else(|| from_name(&format!("{prefix}{text}")))
}

/// The seconds in a duration such as "20s", "1m30s", "1.5h" or "-250ms"; none when it is not one.
fn seconds(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    let mut total = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = UNITS.into_iter().find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total = Some(total.unwrap_or(0.0) + number * length);
    }
    total.map(|total| sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, wanted) in [
            ("20s", 20.0),
            ("1m30s", 90.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            ("-5s", -5.0),
            ("1d", 86400.0),
            ("0s", 0.0),
        ] {
            assert_eq!(seconds(text), Some(wanted), "{text}");
        }
        for text in ["", "-", "20", "s", "1m30", "20x", "1..5s", "5 s", "NaNs"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn asterisks_stand_for_any_text() {
        let matches = |pattern: &str, text: &str| {
            let parts: Vec<String> = pattern.split('*').map(str::to_owned).collect();
            matches_parts(&parts, text)
        };
        assert!(matches("pool-*", "pool-a") && !matches("pool-*", "a-pool-a"));
        assert!(matches("*-a", "pool-a") && matches("p*l*a", "pool-a") && matches("*", ""));
        assert!(!matches("pool-a*a", "pool-a"), "parts do not overlap");
    }
}
