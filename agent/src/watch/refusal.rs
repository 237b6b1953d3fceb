//! Why the API server did not give what was asked for, as a kind of blindness.

use std::time::Duration;

use kube::core::Status;
use nodegrace_proto::v1::BlindReason;

use crate::{kube_client, observe::Trouble};

/// Longest that a server is left alone because it says so: blindness costs data, and an overloaded API server asks for a
/// second or a few.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);

/// What `--impersonate-own-node` takes, before the server's own words, of which long ones are cut at their end. Without it nothing
/// else is tried: the agent does not fall back on rights that it was not to have.
const OWN_NODE: &str = "--impersonate-own-node takes Kubernetes 1.36 and components/own-node: ";

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) trouble: Trouble,
    /// The server does not have what was asked for.
    pub(super) not_found: bool,
    /// How long the server wants to be left alone.
    pub(super) retry_after: Duration,
    /// The same request would end the same: it is refused, or what it leads to cannot be understood.
    futile: bool,
}

impl Refusal {
    fn new(reason: BlindReason, message: String) -> Self {
        Self {
            trouble: Trouble { reason, message },
            not_found: false,
            retry_after: Duration::ZERO,
            futile: false,
        }
    }

    /// No answer within `deadline`.
    pub(super) fn silence(deadline: Duration) -> Self {
        Self::new(
            BlindReason::Connection,
            format!("no answer within {}", humantime::format_duration(deadline)),
        )
    }

    /// A watch that said nothing although the object changed.
    pub(super) fn deaf_watch() -> Self {
        Self::new(
            BlindReason::Expired,
            "the watch said nothing while the object changed".into(),
        )
    }

    /// A watch that ended before it said anything; `again` when the one before it did so too, which its version may be the
    /// cause of.
    pub(super) fn stillborn_watch(again: bool) -> Self {
        Self {
            futile: again,
            ..Self::new(
                BlindReason::Connection,
                "the watch ended as soon as it was opened".into(),
            )
        }
    }

    /// A watch that ended before its time.
    pub(super) fn early_end() -> Self {
        Self::new(
            BlindReason::Connection,
            "the watch ended before its time".into(),
        )
    }

    /// The server's own words: the object of an ERROR event.
    pub(super) fn from_status(status: Box<Status>) -> Self {
        Self::from_error(&kube::Error::Api(status))
    }

    pub(super) fn from_error(error: &kube::Error) -> Self {
        let code = match error {
            kube::Error::Api(status) => Some(status.code),
            _ => None,
        };
        let reason = match error {
            kube::Error::Api(status) => match status.code {
                401 | 403 => BlindReason::Forbidden,
                410 => BlindReason::Expired,
                _ => BlindReason::ServerError,
            },
            error if kube_client::lacks_credentials(error) => BlindReason::Forbidden,
            // It answered, but not in a way that can be understood.
            kube::Error::SerdeError(_)
            | kube::Error::FromUtf8(_)
            | kube::Error::BuildRequest(_) => BlindReason::ServerError,
            _ => BlindReason::Connection,
        };
        // kube reads an event that it cannot understand as a Status that says nothing.
        let unsaid = code == Some(0);
        let nonsense =
            unsaid || matches!(error, kube::Error::SerdeError(_) | kube::Error::FromUtf8(_));
        let message = if unsaid {
            "the server sent an event that cannot be understood".into()
        } else {
            kube_client::failure(error)
        };
        Self {
            not_found: code == Some(404),
            retry_after: retry_after(error).min(LONGEST_RETRY_AFTER),
            futile: nonsense || matches!(code, Some(400 | 404 | 422)),
            ..Self::new(reason, message)
        }
    }

    /// With what it takes to be let in as the own node, where the server does not let it in.
    pub(super) fn of_own_node(mut self, error: &kube::Error) -> Self {
        if matches!(error, kube::Error::Api(status) if status.code == 403) {
            self.trouble.message.insert_str(0, OWN_NODE);
        }
        self
    }

    /// With what the server's header says of when to ask again.
    pub(super) fn at_earliest_after(mut self, time: Duration) -> Self {
        self.retry_after = self.retry_after.max(time.min(LONGEST_RETRY_AFTER));
        self
    }

    /// Whether a watch can only go on after a new list.
    pub(super) fn needs_list(&self) -> bool {
        self.futile || self.trouble.reason == BlindReason::Expired
    }
}

/// How long the server says in its own words that it wants to be left alone. Zero: it does not say.
fn retry_after(error: &kube::Error) -> Duration {
    let details = match error {
        kube::Error::Api(status) => status.details.as_ref(),
        _ => None,
    };
    details.map_or(Duration::ZERO, |details| {
        Duration::from_secs(details.retry_after_seconds.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Refusal {
        let status = Status::failure(message, "Reason").with_code(code);
        Refusal::from_error(&kube::Error::Api(status.boxed()))
    }

    #[test]
    fn answers_are_told_apart_by_their_code() {
        assert_eq!(
            status(401, "Unauthorized").trouble.reason,
            BlindReason::Forbidden
        );
        assert_eq!(status(403, "no").trouble.reason, BlindReason::Forbidden);
        assert_eq!(
            status(429, "too many requests").trouble.reason,
            BlindReason::ServerError
        );
        assert_eq!(
            status(503, "etcd is gone").trouble.reason,
            BlindReason::ServerError
        );
        assert!(status(404, "the server could not find the requested resource").not_found);
    }

    #[test]
    fn a_recorded_expiry_needs_a_list_and_says_so() {
        let event: kube::core::WatchEvent<serde_json::Value> = serde_json::from_str(include_str!(
            "../../tests/recorded/node-watch-expired.jsonl"
        ))
        .unwrap();
        let kube::core::WatchEvent::Error(status) = event else {
            panic!("an ERROR event");
        };
        let refusal = Refusal::from_status(status);
        assert!(refusal.needs_list());
        assert_eq!(
            refusal.trouble.message,
            "too old resource version: 1 (751) (410)"
        );
    }

    #[test]
    fn a_server_error_lets_the_watch_resume() {
        assert!(!status(500, "internal").needs_list());
        assert!(!Refusal::silence(Duration::from_secs(5)).needs_list());
        assert!(status(400, "invalid resource version").needs_list());
    }
}
