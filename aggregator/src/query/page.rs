//! Paging after AIP-158: page sizes, and the orders that page tokens walk through.
//!
//! Figures change between two pages. So that a walk over the pages still meets every node once, the order is made with the
//! first page and kept until it was walked through, left alone for [`KEPT_FOR`], or pushed out by [`MAX_KEPT`] newer ones; the
//! nodes on each page show the figures of that page's moment.

mod collector;

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tonic::Status;

pub(crate) use self::collector::{Collector, MAX_PAGE_BYTES, fitting};

/// Page size where none is asked for.
const DEFAULT_PAGE_SIZE: usize = 100;
/// Largest page: more than anyone reads, and enough for programs to be done in few calls.
const MAX_PAGE_SIZE: usize = 1000;
/// Orders kept for their next pages. At 4 bytes a node, 32 orders of 100,000 nodes take 13 MB, and the names that those made between
/// two changes of the fleet share 2 MB.
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

/// Names, shared by all orders of the same nodes.
type Names = Arc<[Arc<str>]>;

/// Nodes in the order of a first page.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    names: Names,
    /// Numbers of names.
    order: Arc<[u32]>,
}

/// How far a walk through an order has come.
#[derive(Debug)]
pub(crate) struct Walk {
    listed: Listed,
    offset: usize,
    /// Number of the order where it is kept already.
    kept: Option<u64>,
}

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
    listed: Listed,
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

impl Listed {
    /// Those of `names` that `order` numbers, in that order.
    pub(crate) fn new(names: Names, order: Vec<u32>) -> Self {
        Self {
            names,
            order: order.into(),
        }
    }
}

impl Walk {
    /// The walk through an order just made.
    pub(crate) const fn new(listed: Listed) -> Self {
        Self {
            listed,
            offset: 0,
            kept: None,
        }
    }

    /// The names that are still to come.
    pub(crate) fn rest(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        let Listed { names, order } = &self.listed;
        order[self.offset..]
            .iter()
            .map(|number| &names[*number as usize])
    }

    /// The number of names in the whole order.
    pub(crate) fn total(&self) -> usize {
        self.listed.order.len()
    }
}

impl Orders {
    /// No orders. `run` is a number that differs from run to run.
    pub(crate) fn new(run: u64) -> Self {
        Self {
            run,
            kept: Mutex::default(),
        }
    }

    /// The walk that `token` continues.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when the token is malformed, of another request or run, or expired.
    pub(crate) fn resume(&self, token: &str, request: u64, now: Duration) -> Result<Walk, Status> {
        let token = Token::parse(token)
            .filter(|token| token.run == self.run && token.request == request)
            .ok_or_else(foreign_token)?;
        let mut kept = self.lock();
        kept.expire(now);
        let listed = kept.used(token.order, now).ok_or_else(foreign_token)?;
        let offset = usize::try_from(token.offset)
            .ok()
            .filter(|offset| *offset < listed.order.len())
            .ok_or_else(foreign_token)?;
        Ok(Walk {
            listed,
            offset,
            kept: Some(token.order),
        })
    }

    /// The token of the page after one that took so many names; empty when none is left.
    pub(crate) fn next_token(
        &self,
        walk: &Walk,
        taken: usize,
        request: u64,
        now: Duration,
    ) -> String {
        let offset = walk.offset + taken;
        if offset >= walk.total() {
            return String::new();
        }
        let order = walk
            .kept
            .unwrap_or_else(|| self.lock().keep(walk.listed.clone(), now));
        Token {
            run: self.run,
            order,
            offset: offset as u64,
            request,
        }
        .encode()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here is left half done by a panic.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Keeps an order, and drops the least recently used one when there are too many.
    fn keep(&mut self, listed: Listed, now: Duration) -> u64 {
        self.expire(now);
        if self.orders.len() >= MAX_KEPT {
            self.orders.pop_front();
        }
        let id = self.next_id;
        self.next_id += 1;
        self.orders.push_back(KeptOrder {
            id,
            listed,
            used: now,
        });
        id
    }

    fn expire(&mut self, now: Duration) {
        self.orders.retain(|order| order.used + KEPT_FOR >= now);
    }

    /// An order, which by this becomes the most recently used one.
    fn used(&mut self, id: u64, now: Duration) -> Option<Listed> {
        let at = self.orders.iter().position(|order| order.id == id)?;
        let mut order = self.orders.remove(at)?;
        order.used = now;
        let listed = order.listed.clone();
        self.orders.push_back(order);
        Some(listed)
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

    /// Nodes from the last to the first.
    fn listed(count: u32) -> Listed {
        Listed::new(names(count as usize), (0..count).rev().collect())
    }

    /// The token of the second page of an order of five.
    fn second_page(orders: &Orders, now: Duration) -> String {
        orders.next_token(&Walk::new(listed(5)), 2, 9, now)
    }

    #[test]
    fn pages_walk_through_the_whole_order_once() {
        let orders = Orders::new(1);
        let mut walk = Walk::new(listed(7));
        let mut walked = Vec::new();
        loop {
            assert_eq!(walk.total(), 7);
            walked.extend(walk.rest().take(3).cloned());
            let page = walk.rest().take(3).len();
            let token = orders.next_token(&walk, page, 9, NOW);
            if token.is_empty() {
                break;
            }
            walk = orders.resume(&token, 9, NOW).expect("a token just given");
        }
        walked.reverse();
        assert_eq!(walked, names(7).to_vec());
    }

    #[test]
    fn a_token_of_another_request_or_run_or_of_nobody_is_refused() {
        let orders = Orders::new(1);
        let token = second_page(&orders, NOW);
        assert!(orders.resume(&token, 8, NOW).is_err());
        assert!(Orders::new(2).resume(&token, 9, NOW).is_err());
        for nonsense in ["x", &"é".repeat(32), &"0".repeat(64), &token[1..]] {
            assert!(orders.resume(nonsense, 9, NOW).is_err(), "{nonsense}");
        }
    }

    #[test]
    fn an_order_expires_when_left_alone_and_when_too_many_are_newer() {
        let orders = Orders::new(1);
        let token = second_page(&orders, NOW);
        let later = NOW + KEPT_FOR;
        assert!(orders.resume(&token, 9, later).is_ok());
        let much_later = later + KEPT_FOR + Duration::from_secs(1);
        assert!(orders.resume(&token, 9, much_later).is_err());

        let token = second_page(&orders, later);
        for _ in 0..MAX_KEPT {
            second_page(&orders, later);
        }
        assert!(orders.resume(&token, 9, later).is_err());
    }

    #[test]
    fn page_sizes_have_a_default_and_a_bound() {
        assert_eq!(page_size(0).expect("default"), DEFAULT_PAGE_SIZE);
        assert_eq!(page_size(7).expect("as asked"), 7);
        assert_eq!(page_size(i32::MAX).expect("bounded"), MAX_PAGE_SIZE);
        assert!(page_size(-1).is_err());
    }
}
