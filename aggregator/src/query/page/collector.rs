//! One page of an order, collected from items that come in none.

use std::collections::BTreeMap;

use prost::Message;

/// Size in bytes at which a page ends early, as AIP-158 allows: clients take messages up to 4 MiB unless told otherwise.
pub(crate) const MAX_PAGE_BYTES: usize = 3 << 20;

/// As many messages of a page as an answer has room for, and the place after which the next one begins: `next`, unless it ends early.
pub(crate) fn fitting<P, M: Message>(
    page: impl Iterator<Item = (P, M)>,
    next: Option<P>,
) -> (Vec<M>, Option<P>) {
    let (mut messages, mut bytes, mut last) = (Vec::new(), 0, None);
    for (place, message) in page {
        if bytes > MAX_PAGE_BYTES {
            return (messages, last);
        }
        bytes += message.encoded_len();
        messages.push(message);
        last = Some(place);
    }
    (messages, next)
}

/// The first items of an order after some place: one page of them, and whether there are more.
///
/// Items may come in any order, and an item is made only once its place is on the page.
#[derive(Debug)]
pub(crate) struct Collector<P, T> {
    size: usize,
    after: Option<P>,
    // One more than the page holds tells whether there is a next one.
    first: BTreeMap<P, T>,
}

impl<P: Ord, T> Collector<P, T> {
    /// Collects a page of `size` items after the place `after`.
    pub(crate) const fn new(size: usize, after: Option<P>) -> Self {
        Self {
            size,
            after,
            first: BTreeMap::new(),
        }
    }

    /// Takes the item of this place where it belongs on the page.
    pub(crate) fn take(&mut self, place: P, item: impl FnOnce() -> T) {
        let is_shown = self.after.as_ref().is_some_and(|after| place <= *after);
        let is_full = self.first.len() > self.size;
        let last = self.first.last_key_value().filter(|_| is_full);
        if is_shown || last.is_some_and(|(last, _)| place > *last) {
            return;
        }
        self.first.insert(place, item());
        if self.first.len() > self.size + 1 {
            self.first.pop_last();
        }
    }

    /// The page, and the place after which the next one begins. Absent: there is none.
    pub(crate) fn page(mut self) -> (BTreeMap<P, T>, Option<P>)
    where
        P: Clone,
    {
        let more = self.first.len() > self.size;
        if more {
            self.first.pop_last();
        }
        let last = self.first.last_key_value().filter(|_| more);
        let last = last.map(|(place, _)| place.clone());
        (self.first, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_the_first_items_and_says_where_the_next_begins() {
        let walk = |size| {
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let mut collector = Collector::new(size, after);
                for number in [5, 3, 9, 1, 7] {
                    collector.take(number, || number * 10);
                }
                let (page, next) = collector.page();
                pages.push(page.into_values().collect::<Vec<_>>());
                match next {
                    Some(place) => after = Some(place),
                    None => return pages,
                }
            }
        };
        assert_eq!(walk(2), [vec![10, 30], vec![50, 70], vec![90]]);
        assert_eq!(walk(5), [[10, 30, 50, 70, 90]], "no page is empty");
        assert_eq!(walk(9), [[10, 30, 50, 70, 90]]);
    }

    #[test]
    fn a_page_of_large_messages_ends_early_and_is_gone_on_with() {
        let large = || "x".repeat(1 << 20);
        let page = || (0..10).map(|place| (place, large()));
        let (messages, next) = fitting(page(), Some(9));
        assert_eq!((messages.len(), next), (3, Some(2)));
        let encoded: usize = messages.iter().map(Message::encoded_len).sum();
        assert!(encoded < 4 << 20, "clients take no more");

        let (messages, next) = fitting(page().take(2), None);
        assert_eq!((messages.len(), next), (2, None));
        let whole = fitting(page().skip(9), Some(9));
        assert_eq!((whole.0.len(), whole.1), (1, Some(9)));
    }

    #[test]
    fn an_item_that_is_on_no_page_is_not_made() {
        let mut made = 0;
        let mut collector = Collector::new(1, None);
        for place in 0..100 {
            collector.take(place, || made += 1);
        }
        assert_eq!(made, 2);
    }
}
