//! The kubelet's requests to the API server as its own metrics have them: what was asked, how it was answered, how long it
//! took.

use std::time::Duration;

use super::phase::Call;

/// Requests kept until somebody books them, the oldest dropped first: more than a kubelet makes in an hour.
const KEPT: usize = 4096;

/// One request that has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Request {
    pub(super) verb: &'static str,
    /// The answer's code; none: there was no answer.
    pub(super) code: Option<u16>,
    pub(super) took: Duration,
}

/// The requests that have ended since they were last taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests(Vec<Request>);

impl Requests {
    /// Books a call of one of the loops that ends at `now`, with the refusals it met.
    pub(super) fn book(&mut self, verb: &'static str, call: &Call, now: Duration) {
        let (refusals, code) = call.refused.unwrap_or((0, 0));
        let mut left = now.saturating_sub(call.sent);
        for _ in 0..refusals {
            // A refusal costs the server next to nothing.
            let took = Duration::from_millis(4).min(left);
            self.push(verb, Some(code), took);
            left -= took;
        }
        if call.answered {
            self.push(verb, Some(200), left);
        } else if refusals == 0 {
            self.push(verb, None, left);
        }
    }

    fn push(&mut self, verb: &'static str, code: Option<u16>, took: Duration) {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push(Request { verb, code, took });
    }

    /// Takes them.
    pub(super) fn take(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.0)
    }
}
