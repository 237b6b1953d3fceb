//! What is seen of one channel, since when not, and why: the agent's own blindness, kept apart from the kubelet's silence.

use std::time::Duration;

use nodegrace_proto::v1::{BlindReason, BlindSpell, Channel, ChannelView, Visibility};

use super::Span;
use crate::wire;

/// Why a channel cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The kind of trouble.
    pub(crate) reason: BlindReason,
    /// The error in words.
    pub(crate) message: String,
}

/// What is seen of one channel.
#[derive(Debug)]
pub(crate) struct Outlook {
    channel: Channel,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not looked at yet.
    Unspecified,
    /// Every change is seen.
    Observed,
    /// There is nothing to see, for the reason in words.
    Absent(String),
    /// Nothing is seen since this moment.
    Blind {
        since: Duration,
        trouble: Trouble,
        /// True once a connection was lost to the agent's own standing still.
        let_go: bool,
    },
}

impl Outlook {
    /// A channel that was not looked at yet.
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            channel,
            state: State::Unspecified,
        }
    }

    /// Whether there is nothing to see.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self.state, State::Absent(_))
    }

    /// Whether the channel cannot be seen.
    pub(crate) fn is_blind(&self) -> bool {
        matches!(self.state, State::Blind { .. })
    }

    /// The channel cannot be seen; `since` is the last moment at which it surely was. True when that is news: it could be
    /// seen before, or the kind of trouble is another.
    ///
    /// While blind already, the spell keeps its start and takes the newest trouble: what hinders the agent now is what an
    /// operator can act on. Some is no new trouble, but what the old one led to: an expired version, and the first connection
    /// that is lost after the agent stood still, for nobody answered its pings. Nor is it news of what hinders an agent that it
    /// stood still besides.
    pub(crate) fn lose(&mut self, since: Duration, trouble: Trouble) -> bool {
        match &mut self.state {
            State::Blind { .. } if trouble.reason == BlindReason::Expired => false,
            State::Blind { trouble: old, .. }
                if trouble.reason == BlindReason::AgentStalled && old.reason != trouble.reason =>
            {
                false
            }
            State::Blind {
                trouble: old,
                let_go: let_go @ false,
                ..
            } if (old.reason, trouble.reason)
                == (BlindReason::AgentStalled, BlindReason::Connection) =>
            {
                *let_go = true;
                false
            }
            State::Blind { trouble: old, .. } => {
                let news = old.reason != trouble.reason;
                *old = trouble;
                news
            }
            _ => {
                self.state = State::Blind {
                    since,
                    trouble,
                    let_go: false,
                };
                true
            }
        }
    }

    /// The channel is seen from `now` on; `resumed` when nothing of it was missed. Returns the spell that ended, if it was
    /// blind, and its span.
    pub(crate) fn regain(&mut self, now: Duration, resumed: bool) -> Option<(BlindSpell, Span)> {
        let State::Blind { since, trouble, .. } = &self.state else {
            return None;
        };
        let span = Span {
            start: *since,
            end: now.max(*since),
        };
        let spell = BlindSpell {
            sequence_number: 0,
            channel: self.channel.into(),
            start_monotonic: Some(wire::duration(span.start)),
            end_monotonic: Some(wire::duration(span.end)),
            reason: trouble.reason.into(),
            message: wire::clip(trouble.message.clone()),
            resumed,
        };
        self.state = State::Observed;
        Some((spell, span))
    }

    /// The object is there and watched.
    pub(crate) fn present(&mut self) {
        self.state = State::Observed;
    }

    /// There is nothing to see, for the reason in words.
    pub(crate) fn absent(&mut self, message: String) {
        self.state = State::Absent(message);
    }

    /// The view on the wire.
    pub(crate) fn view(&self) -> ChannelView {
        let mut view = ChannelView {
            channel: self.channel.into(),
            ..ChannelView::default()
        };
        let visibility = match &self.state {
            State::Unspecified => Visibility::Unspecified,
            State::Observed => Visibility::Observed,
            State::Absent(message) => {
                view.message = wire::clip(message.clone());
                Visibility::Absent
            }
            State::Blind { since, trouble, .. } => {
                view.blind_since_monotonic = Some(wire::duration(*since));
                view.reason = trouble.reason.into();
                view.message = wire::clip(trouble.message.clone());
                Visibility::Blind
            }
        };
        view.visibility = visibility.into();
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn refused() -> Trouble {
        Trouble {
            reason: BlindReason::Connection,
            message: "connection refused".into(),
        }
    }

    #[test]
    fn a_spell_starts_where_the_channel_was_last_seen_whatever_fails_after() {
        let mut outlook = Outlook::new(Channel::Lease);
        outlook.present();
        assert!(outlook.lose(seconds(10), refused()));
        assert!(!outlook.lose(seconds(15), refused()));
        let (spell, span) = outlook.regain(seconds(20), true).unwrap();
        assert_eq!(
            span,
            Span {
                start: seconds(10),
                end: seconds(20)
            }
        );
        assert!(spell.resumed);
        assert_eq!(outlook.view().visibility(), Visibility::Observed);
        assert!(outlook.regain(seconds(30), true).is_none());
    }

    #[test]
    fn another_kind_of_trouble_is_news() {
        let mut outlook = Outlook::new(Channel::Lease);
        outlook.lose(seconds(10), refused());
        let forbidden = Trouble {
            reason: BlindReason::Forbidden,
            message: "forbidden".into(),
        };
        assert!(outlook.lose(seconds(12), forbidden));
        let view = outlook.view();
        assert_eq!(view.reason(), BlindReason::Forbidden);
        assert_eq!(view.blind_since_monotonic.unwrap().seconds, 10);
    }

    #[test]
    fn a_version_that_expired_during_a_spell_does_not_hide_what_caused_it() {
        let mut outlook = Outlook::new(Channel::Lease);
        outlook.lose(seconds(10), refused());
        let expired = Trouble {
            reason: BlindReason::Expired,
            message: "too old resource version".into(),
        };
        assert!(!outlook.lose(seconds(12), expired));
        assert_eq!(outlook.view().reason(), BlindReason::Connection);
    }

    fn stalled() -> Trouble {
        Trouble {
            reason: BlindReason::AgentStalled,
            message: "the agent stood still for 8s".into(),
        }
    }

    #[test]
    fn the_connection_that_is_lost_to_a_stall_does_not_hide_it_but_one_that_stays_lost_does() {
        let mut outlook = Outlook::new(Channel::Lease);
        assert!(outlook.lose(seconds(10), stalled()));
        assert!(!outlook.lose(seconds(18), refused()));
        assert_eq!(outlook.view().reason(), BlindReason::AgentStalled);
        assert!(outlook.lose(seconds(19), refused()));
        assert_eq!(outlook.view().reason(), BlindReason::Connection);
    }

    #[test]
    fn an_agent_that_stands_still_while_it_is_blind_is_blind_for_the_same_reason() {
        let mut outlook = Outlook::new(Channel::Lease);
        outlook.lose(seconds(10), refused());
        assert!(!outlook.lose(seconds(15), stalled()));
        assert_eq!(outlook.view().reason(), BlindReason::Connection);
    }

    #[test]
    fn only_a_blind_channel_is_seen_again() {
        let mut outlook = Outlook::new(Channel::NodeStatus);
        assert!(outlook.regain(seconds(10), true).is_none());
        assert_eq!(outlook.view().visibility(), Visibility::Unspecified);
        outlook.absent("no Node named gone".into());
        assert!(outlook.regain(seconds(20), true).is_none());
        assert_eq!(outlook.view().visibility(), Visibility::Absent);
    }

    #[test]
    fn an_absent_object_says_why() {
        let mut outlook = Outlook::new(Channel::NodeStatus);
        assert_eq!(outlook.view().visibility(), Visibility::Unspecified);
        outlook.absent("no Node named gone".into());
        let view = outlook.view();
        assert_eq!(view.visibility(), Visibility::Absent);
        assert_eq!(view.message, "no Node named gone");
    }
}
