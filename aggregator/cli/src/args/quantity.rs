//! Numbers and lengths of time as typed, as far as they make sense.

use std::time::Duration;

use nodegrace_proto::prost_types;

/// At least one of something: none would be no question.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("is no number".to_owned()),
    }
}

/// A length of time that the wire can say.
pub(crate) fn duration(text: &str) -> Result<prost_types::Duration, String> {
    let duration: Duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    prost_types::Duration::try_from(duration).map_err(|_| "is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_wire_cannot_say_is_refused_and_not_left_out() {
        assert_eq!(duration("20s").map(|wire| wire.seconds), Ok(20));
        assert_eq!(duration("18446744073709551615s"), Err("is too long".into()));
        assert!(duration("soon").is_err());
    }

    #[test]
    fn none_is_no_number_of_things_to_show() {
        assert_eq!(at_least_one("7"), Ok(7));
        for nonsense in ["0", "-1", "some"] {
            assert!(at_least_one(nonsense).is_err(), "{nonsense}");
        }
    }
}
