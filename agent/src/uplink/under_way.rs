//! Batches that were sent and not acknowledged, with what to tell the spool when they are.

use std::collections::VecDeque;

use nodegrace_spool::Cursor;

use crate::journal::Contents;

/// Most records under way without an acknowledgement. An aggregator that is slow gets no more: what waits in the spool
/// can still be weighed and dropped there.
const WINDOW: usize = 1024;

/// What is under way to one aggregator, the oldest first. Bounded by [`WINDOW`], for each batch in here has a record.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    sent: VecDeque<Sent>,
    records: usize,
}

/// A batch under way.
#[derive(Debug)]
struct Sent {
    /// Number of its last record.
    last: u64,
    records: usize,
    /// What to acknowledge to the spool when the aggregator acknowledged that record.
    end: Cursor,
}

impl UnderWay {
    /// Lines up a batch that is sent now. Returns what can be acknowledged at once: what could not be read is not sent, and
    /// nobody will acknowledge it. Behind a batch that is under way, it goes with that one.
    pub(super) fn push(&mut self, contents: &Contents) -> Option<Cursor> {
        let end = contents.end;
        if contents.records > 0 {
            self.records += contents.records;
            self.sent.push_back(Sent {
                last: contents.last,
                records: contents.records,
                end,
            });
            return None;
        }
        match self.sent.back_mut() {
            Some(sent) => {
                sent.end = end;
                None
            }
            None => Some(end).filter(|_| contents.unreadable > 0),
        }
    }

    /// Every record up to `sequence` was acknowledged. Returns up to where the spool need not keep them.
    pub(super) fn acknowledged(&mut self, sequence: u64) -> Option<Cursor> {
        let mut end = None;
        while let Some(sent) = self.sent.pop_front_if(|sent| sent.last <= sequence) {
            self.records -= sent.records;
            end = Some(sent.end);
        }
        end
    }

    /// Whether everything that was sent is acknowledged.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether another batch may go.
    pub(super) fn has_room(&self) -> bool {
        self.records < WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(last: u64, records: usize, unreadable: usize) -> Contents {
        Contents {
            records,
            last,
            unreadable,
            ..Contents::default()
        }
    }

    #[test]
    fn an_acknowledgement_covers_every_batch_that_ends_before_it() {
        let mut under_way = UnderWay::default();
        for last in [2, 4, 6] {
            assert_eq!(under_way.push(&batch(last, 2, 0)), None);
        }
        assert!(under_way.acknowledged(1).is_none(), "half a batch is none");
        assert!(under_way.acknowledged(5).is_some());
        assert!(!under_way.is_empty());
        assert!(under_way.acknowledged(u64::MAX).is_some());
        assert!(under_way.is_empty());
    }

    #[test]
    fn a_full_window_waits_for_acknowledgements() {
        let mut under_way = UnderWay::default();
        under_way.push(&batch(1000, 1000, 0));
        assert!(under_way.has_room());
        under_way.push(&batch(1024, 24, 0));
        assert!(!under_way.has_room());
        under_way.acknowledged(1000);
        assert!(under_way.has_room());
    }

    #[test]
    fn what_cannot_be_read_is_done_with_once_everything_before_it_is() {
        let mut under_way = UnderWay::default();
        assert!(under_way.push(&batch(0, 0, 1)).is_some());
        assert!(under_way.push(&batch(0, 0, 0)).is_none());
        under_way.push(&batch(1, 1, 0));
        assert!(under_way.push(&batch(0, 0, 1)).is_none());
        assert!(under_way.acknowledged(1).is_some());
    }
}
