//! Paging after AIP-158: page sizes, and the orders that page tokens walk through.
//!
//! Figures change between two pages. So that a walk over the pages still meets every node once, the order is made with the
//! first page and kept until it was walked through, left alone for [`KEPT_FOR`], or pushed out by [`MAX_KEPT`] newer ones; the
//! nodes on each page show the figures of that page's moment.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tonic::Status;

/// Page size where none is asked for.
const DEFAULT_PAGE_SIZE: usize = 100;
/// Largest page: a thousand full nodes stay well below gRPC's usual limit of 4 MiB a message.
const MAX_PAGE_SIZE: usize = 1000;
/// Orders kept for their next pages. At 16 bytes a node, 32 orders of 100,000 nodes take 50 MB.
const MAX_KEPT: usize = 32;
/// How long an order is kept after a page of it was asked for: a person reading pages takes minutes.
const KEPT_FOR: Duration = Duration::from_secs(600);

/// The number of items a page holds.
///
/// # Errors
/// `INVALID_ARGUMENT` when it is negative.
pub(crate) fn page_size(asked: i32) -> Result<usize, Status> {
    match usize::try_from(asked) {
        Ok(0) => Ok(DEFAULT_PAGE_SIZE),
        Ok(size) => Ok(size.min(MAX_PAGE_SIZE)),
        Err(_) => Err(Status::invalid_argument("page_size: must not be negative")),
    }
}

/// The fingerprint by which a page token is bound to the request it continues.
pub(crate) fn fingerprint(parts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.hash(&mut hasher);
    hasher.finish()
}

/// The status for a page token that continues nothing.
pub(crate) fn foreign_token() -> Status {
    Status::invalid_argument(
        "page_token: not one of this request's, or expired; start again without it",
    )
}

/// Names in the order of a first page.
pub(crate) type Names = Arc<[Arc<str>]>;

/// The orders kept for their next pages.
#[derive(Debug)]
pub(crate) struct Orders {
    /// Tells this run's tokens from those of an earlier one.
    run: u64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    next_id: u64,
    /// The least recently used first.
    orders: VecDeque<KeptOrder>,
}

#[derive(Debug)]
struct KeptOrder {
    id: u64,
    names: Names,
    used: Duration,
}

/// A place in a kept order.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    run: u64,
    order: u64,
    offset: u64,
    request: u64,
}

impl Orders {
    /// No orders. `run` is a number that differs from run to run.
    pub(crate) fn new(run: u64) -> Self {
        Self {
            run,
            kept: Mutex::default(),
        }
    }

    /// The page of `size` names from `offset` of an order just made, and the token of the next, if there is one.
    pub(crate) fn first_page(
        &self,
        names: Names,
        size: usize,
        request: u64,
        now: Duration,
    ) -> (Names, String) {
        if names.len() <= size {
            return (names, String::new());
        }
        let mut kept = self.lock();
        kept.forget_before(now.saturating_sub(KEPT_FOR));
        let id = kept.next_id;
        kept.next_id += 1;
        let page = names[..size].into();
        kept.orders.push_back(KeptOrder {
            id,
            names,
            used: now,
        });
        (page, self.token(id, size, request))
    }

    /// The page that `token` stands for, the number of names in its whole order, and the token of the next page.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the token is malformed, of another request or run, or expired.
    pub(crate) fn next_page(
        &self,
        token: &str,
        size: usize,
        request: u64,
        now: Duration,
    ) -> Result<(Names, usize, String), Status> {
        let token = Token::parse(token)
            .filter(|token| token.run == self.run && token.request == request)
            .ok_or_else(foreign_token)?;
        let mut kept = self.lock();
        kept.forget_before(now.saturating_sub(KEPT_FOR));
        let names = kept.used(token.order, now).ok_or_else(foreign_token)?;
        let start = usize::try_from(token.offset)
            .ok()
            .filter(|start| *start < names.len())
            .ok_or_else(foreign_token)?;
        let end = names.len().min(start + size);
        let next = if end < names.len() {
            self.token(token.order, end, request)
        } else {
            String::new()
        };
        Ok((names[start..end].into(), names.len(), next))
    }

    fn token(&self, order: u64, offset: usize, request: u64) -> String {
        Token {
            run: self.run,
            order,
            offset: offset as u64,
            request,
        }
        .encode()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        // Nothing in here is left half done by a panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget_before(&mut self, moment: Duration) {
        self.orders.retain(|order| order.used >= moment);
        while self.orders.len() >= MAX_KEPT {
            self.orders.pop_front();
        }
    }

    /// The names of an order, which by this becomes the most recently used one.
    fn used(&mut self, id: u64, now: Duration) -> Option<Names> {
        let at = self.orders.iter().position(|order| order.id == id)?;
        let mut order = self.orders.remove(at)?;
        order.used = now;
        let names = Arc::clone(&order.names);
        self.orders.push_back(order);
        Some(names)
    }
}

impl Token {
    fn encode(&self) -> String {
        let Self {
            run,
            order,
            offset,
            request,
        } = self;
        format!("{run:016x}{order:016x}{offset:016x}{request:016x}")
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = |index: usize| u64::from_str_radix(&text[index * 16..][..16], 16).ok();
        Some(Self {
            run: number(0)?,
            order: number(1)?,
            offset: number(2)?,
            request: number(3)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(5000);

    fn names(count: usize) -> Names {
        (0..count).map(|n| Arc::from(format!("node-{n}"))).collect()
    }

    #[test]
    fn pages_walk_through_the_whole_order_once() {
        let orders = Orders::new(1);
        let (page, mut token) = orders.first_page(names(7), 3, 9, NOW);
        let mut walked = page.to_vec();
        while !token.is_empty() {
            let (page, total, next) = orders.next_page(&token, 2, 9, NOW).expect("a page");
            assert_eq!(total, 7);
            walked.extend_from_slice(&page);
            token = next;
        }
        assert_eq!(walked, names(7).to_vec());
    }

    #[test]
    fn a_token_of_another_request_or_run_or_of_nobody_is_refused() {
        let orders = Orders::new(1);
        let (_, token) = orders.first_page(names(5), 2, 9, NOW);
        assert!(orders.next_page(&token, 2, 8, NOW).is_err());
        assert!(Orders::new(2).next_page(&token, 2, 9, NOW).is_err());
        for nonsense in ["x", &"é".repeat(32), &"0".repeat(64), &token[1..]] {
            assert!(orders.next_page(nonsense, 2, 9, NOW).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn an_order_expires_when_left_alone_and_when_too_many_are_newer() {
        let orders = Orders::new(1);
        let (_, token) = orders.first_page(names(5), 2, 9, NOW);
        let later = NOW + KEPT_FOR;
        assert!(orders.next_page(&token, 2, 9, later).is_ok());
        let (_, other) = orders.first_page(names(5), 2, 9, later);
        let much_later = later + KEPT_FOR + Duration::from_secs(1);
        assert!(orders.next_page(&token, 2, 9, much_later).is_err());
        for _ in 0..MAX_KEPT {
            orders.first_page(names(5), 2, 9, later);
        }
        assert!(orders.next_page(&other, 2, 9, later).is_err());
    }

    #[test]
    fn page_sizes_have_a_default_and_a_bound() {
        assert_eq!(page_size(0).expect("default"), DEFAULT_PAGE_SIZE);
        assert_eq!(page_size(7).expect("as asked"), 7);
        assert_eq!(page_size(i32::MAX).expect("bounded"), MAX_PAGE_SIZE);
        assert!(page_size(-1).is_err());
    }
}
