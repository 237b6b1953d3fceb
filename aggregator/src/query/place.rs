//! The place of an item in an order, as a page token: what was shown last, so that nothing is remembered for it.

use std::sync::Arc;

use tonic::Status;

use super::page;

/// A place: by the figure that is ordered by, then by what tells an item from every other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Ascends from the first item to the last.
    rank: i64,
    /// Numbers of the item's own.
    numbers: (i64, i64),
    /// The name it has besides.
    pub(super) name: Arc<str>,
}

impl Place {
    /// The place of an item with this figure.
    pub(super) const fn new(
        figure: i64,
        descending: bool,
        numbers: (i64, i64),
        name: Arc<str>,
    ) -> Self {
        Self {
            // The complement reverses the order and, unlike the negative, exists for every number.
            rank: if descending { !figure } else { figure },
            numbers,
            name,
        }
    }

    /// The token of the page after it, bound to the request with this fingerprint.
    pub(super) fn token(&self, request: u64) -> String {
        let Self {
            rank,
            numbers: (one, other),
            name,
        } = self;
        format!("{request:016x}{rank:016x}{one:016x}{other:016x}{name}")
    }

    /// The place that a page token stands for; none for the first page.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a token that is none, or another request's.
    pub(super) fn after(token: &str, request: u64) -> Result<Option<Self>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        Self::parse(token)
            .filter(|(bound_to, _)| *bound_to == request)
            .map(|(_, place)| Some(place))
            .ok_or_else(page::foreign_token)
    }

    fn parse(token: &str) -> Option<(u64, Self)> {
        let number =
            |index: usize| u64::from_str_radix(token.get(index * 16..(index + 1) * 16)?, 16).ok();
        let place = Self {
            rank: number(1)?.cast_signed(),
            numbers: (number(2)?.cast_signed(), number(3)?.cast_signed()),
            name: Arc::from(token.get(64..)?),
        };
        Some((number(0)?, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_token_leads_back_to_its_place(
            rank: i64,
            numbers: (i64, i64),
            request: u64,
            name in "[a-z0-9.-]{1,253}",
        ) {
            let place = Place { rank, numbers, name: Arc::from(name) };
            let token = place.token(request);
            assert_eq!(Place::parse(&token), Some((request, place)));
            assert!(Place::after(&token, !request).is_err(), "of another request");
        }

        #[test]
        fn no_text_makes_a_token_panic(text in "\\PC{0,80}|[0-9a-f]{64,70}") {
            let _ = Place::parse(&text);
        }
    }
}
