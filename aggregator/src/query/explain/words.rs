//! The story in words.

mod service;

use std::time::Duration;

use nodegrace_core::{
    SignedDuration, WallTime,
    cluster::{Flip, FlipKind, FlipRule, LostAddress, Service},
    sure_grace,
};
use nodegrace_proto::v1::{TimelineEntry, TimelineKind};

pub(super) use self::service::{change, summary};
use super::Seen;
use crate::wire;

/// A flip as one Service felt it.
pub(super) struct Story<'a> {
    pub(super) service: &'a Service,
    pub(super) rule: &'a FlipRule,
    pub(super) flip: &'a Flip,
    /// What the node's agent saw of the gap. Absent: it has not ended, or was not measured.
    pub(super) seen: Option<&'a Seen>,
}

impl Story<'_> {
    /// What happened; in the order in which it is told where it happened at one time.
    pub(super) fn entries(&self) -> impl Iterator<Item = TimelineEntry> {
        let left = self.own().map(|lost| self.left(lost));
        let back = self
            .own()
            .flat_map(|lost| [self.returned(lost), self.evicted(lost)])
            .flatten();
        self.last_heartbeat()
            .into_iter()
            .chain([self.marked()])
            .chain(self.went_on())
            .chain(left)
            .chain(self.heartbeat_back())
            .chain(self.causes())
            .chain(self.remedy())
            .chain(back)
            .chain(self.ready_again())
    }

    /// The Service's own addresses.
    fn own(&self) -> impl Iterator<Item = &LostAddress> {
        let lost = self.flip.lost.iter();
        lost.filter(|lost| lost.service == *self.service)
    }

    fn node(&self) -> &str {
        &self.flip.node
    }

    fn entry(&self, time: WallTime, kind: TimelineKind, sentence: String) -> TimelineEntry {
        TimelineEntry {
            time: Some(wire::to_timestamp(time)),
            kind: kind.into(),
            sentence,
            node_name: self.node().to_owned(),
            ..TimelineEntry::default()
        }
    }

    fn kind(&self) -> FlipKind {
        self.flip.kind(self.rule)
    }

    fn last_heartbeat(&self) -> Option<TimelineEntry> {
        let of_gap = self.seen.map(|seen| seen.gap.start_time);
        let by_agent = || Some(before(self.flip.agent_seen?, self.flip.after?));
        let time = of_gap.or_else(by_agent)?;
        let sentence = format!(
            "the last heartbeat of {} reached the API server",
            self.node()
        );
        Some(self.entry(time, TimelineKind::LastHeartbeat, sentence))
    }

    fn marked(&self) -> TimelineEntry {
        let node = self.node();
        let grace = self.rule.settings().grace_period;
        let unheard = match self.flip.after {
            Some(after) => format!("hasn't been updated for {}", seconds(after)),
            None => "hasn't been updated".to_owned(),
        };
        let sentence = match self.kind() {
            FlipKind::HeartbeatLost => format!(
                "the controller marked {node} Unknown: its heartbeat {unheard} (grace period {})",
                seconds(grace)
            ),
            FlipKind::KubeletNotReady => format!(
                "the kubelet of {node} said itself that it is not ready ({}); no grace period helps",
                self.flip.reason
            ),
            FlipKind::ControllerStale => format!(
                "the controller marked {node} Unknown although the API server had its heartbeats: only {} had passed since the \
                 last, so the controller's own watch was stale",
                seconds(self.flip.after.unwrap_or_default())
            ),
            FlipKind::NodeRebooted => {
                format!("the controller marked {node} Unknown while its machine was booted anew")
            }
            FlipKind::NodeDeleted => {
                format!("the controller marked {node} Unknown, and the Node was deleted later")
            }
        };
        // The two watches are two streams, and what a flip led to may be told a little before it.
        let first_left = self.own().map(|lost| lost.left).min();
        let time = first_left.map_or(self.flip.time(), |left| left.min(self.flip.time()));
        TimelineEntry {
            duration: self.flip.after.map(wire::to_duration),
            ..self.entry(time, TimelineKind::Flip, sentence)
        }
    }

    fn went_on(&self) -> Option<TimelineEntry> {
        let time = self.flip.went_on?;
        // The controller marks the pods of a node that was Ready; what leaves after this is evicted, or failed.
        let left = self.own().filter(|lost| lost.left >= time).count();
        let led_to = match left {
            0 => format!("no address left {} by that", self.service),
            1 => format!("1 address left {} after that", self.service),
            left => format!("{left} addresses left {} after that", self.service),
        };
        let sentence = format!(
            "the heartbeats of {} stopped as well, and the controller marked it Unknown: {led_to}",
            self.node()
        );
        Some(self.entry(time, TimelineKind::Flip, sentence))
    }

    fn left(&self, lost: &LostAddress) -> TimelineEntry {
        let sentence = format!(
            "{} left {}: its node is not ready",
            address(lost),
            self.service
        );
        self.of_address(lost, lost.left, TimelineKind::AddressLeft, sentence)
    }

    fn returned(&self, lost: &LostAddress) -> Option<TimelineEntry> {
        let time = lost.returned?;
        if lost.late {
            let sentence = format!(
                "{} is back; for how long it was away nobody saw: the watch of addresses was behind",
                address(lost)
            );
            return Some(self.of_address(lost, time, TimelineKind::AddressReturned, sentence));
        }
        let away = lost.outage()?;
        let heartbeat = self.seen.map(|seen| seen.gap.end_time);
        // Two clocks, the node's and the aggregator's: what is told of both is told only where it makes sense.
        let after = heartbeat.and_then(|back| time.since(back).positive());
        let after = after.map_or_else(String::new, |after| {
            format!(", {} after the heartbeat", seconds(after))
        });
        let sentence = format!("{} is back after {}{after}", address(lost), seconds(away));
        Some(TimelineEntry {
            duration: Some(wire::to_duration(away)),
            ..self.of_address(lost, time, TimelineKind::AddressReturned, sentence)
        })
    }

    fn evicted(&self, lost: &LostAddress) -> Option<TimelineEntry> {
        let time = lost.gone?;
        let sentence = format!(
            "{} was taken off the list before it was back: its pod was evicted or deleted",
            address(lost)
        );
        Some(self.of_address(lost, time, TimelineKind::AddressRemoved, sentence))
    }

    fn of_address(
        &self,
        lost: &LostAddress,
        time: WallTime,
        kind: TimelineKind,
        sentence: String,
    ) -> TimelineEntry {
        TimelineEntry {
            address: lost.address.to_string(),
            pod_name: lost.pod.as_deref().unwrap_or_default().to_owned(),
            ..self.entry(time, kind, sentence)
        }
    }

    fn heartbeat_back(&self) -> Option<TimelineEntry> {
        let gap = &self.seen?.gap;
        let sentence = format!(
            "the heartbeat of {} is back after {}",
            self.node(),
            seconds(gap.duration)
        );
        Some(TimelineEntry {
            duration: Some(wire::to_duration(gap.duration)),
            ..self.entry(gap.end_time, TimelineKind::HeartbeatBack, sentence)
        })
    }

    fn causes(&self) -> Vec<TimelineEntry> {
        let Some(Seen {
            gap,
            why: Some(why),
        }) = self.seen
        else {
            return Vec::new();
        };
        let told = why.causes.iter().map(|cause| {
            let sentence = why.sentence(cause);
            self.entry(gap.end_time, TimelineKind::Cause, sentence)
        });
        told.collect()
    }

    fn ready_again(&self) -> Option<TimelineEntry> {
        let (time, unready) = (self.flip.ready_again?, self.flip.unready_for()?);
        let sentence = format!(
            "{} is Ready again, {} after it was not",
            self.node(),
            seconds(unready)
        );
        Some(TimelineEntry {
            duration: Some(wire::to_duration(unready)),
            ..self.entry(time, TimelineKind::NodeReady, sentence)
        })
    }

    fn remedy(&self) -> Option<TimelineEntry> {
        if self.kind() != FlipKind::HeartbeatLost {
            return None;
        }
        let gap = &self.seen?.gap;
        let grace = sure_grace(gap.duration);
        let idle = self
            .rule
            .settings()
            .sufficient_grace(gap.duration, gap.start());
        // An idle controller looks late enough for a shorter one. Whether it was idle nobody knows.
        let idle = if idle < grace {
            format!(" (with an idle controller {} s)", idle.as_secs())
        } else {
            String::new()
        };
        let sentence = format!(
            "a grace period of {} s would have kept {}{idle}",
            grace.as_secs(),
            self.node()
        );
        Some(TimelineEntry {
            duration: Some(wire::to_duration(grace)),
            ..self.entry(gap.end_time, TimelineKind::Remedy, sentence)
        })
    }
}

fn address(lost: &LostAddress) -> String {
    match &lost.pod {
        Some(pod) => format!("{} (pod {pod})", lost.address),
        None => lost.address.to_string(),
    }
}

/// Seconds with two places, as the controller's log has them.
fn seconds(duration: Duration) -> String {
    let text = format!("{:.2}", duration.as_secs_f64());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} s")
}

/// The moment so long before another.
fn before(time: WallTime, ago: Duration) -> WallTime {
    let ago = SignedDuration::difference(ago, Duration::ZERO).nanos();
    WallTime::from_unix_nanos(time.unix_nanos().saturating_sub(ago))
}
