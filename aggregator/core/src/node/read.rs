//! Reading: the figures of a node at a moment.

use std::time::Duration;

use super::NodeHistory;
use crate::{
    channel::ChannelHistory,
    controller::{GapStart, Judge},
    event::{AgentId, Channel, Visibility},
    expected::Risk,
    figures::{NodeFigures, Observation, Ready, RunningGap},
    fleet::Config,
    standing::Standing,
    state::Verdict,
};

impl NodeHistory {
    /// Everything known of the node, at `now` of the aggregator's clock.
    pub fn figures(&self, config: &Config, now: Duration) -> NodeFigures {
        let controller = &config.controller;
        let standing = Standing::of(self, config);
        let gap = self.gaps.sketch().quantiles(None);
        let losses = self.losses();
        NodeFigures {
            name: self.name.clone(),
            verdict: Verdict::on(&standing, self, config, now),
            gap,
            running_gap: self.running_gap(config, now),
            margin: standing.margin(config),
            expected_flips: Risk::of(&self.gaps, &Judge::new(*controller)).per_node(),
            flips_seen: self.flips_seen,
            ready: self.ready.clone(),
            channels: Channel::ALL.map(|channel| self.channels[channel.index()].figures()),
            observation: self.observation(now),
            losses: (!losses.is_empty()).then_some(losses),
            agent: self.instance.current().cloned(),
            dropped_gaps: self.gaps.dropped(),
            causes: self.causes(),
            habits: self.habits(),
        }
    }

    fn observation(&self, now: Duration) -> Observation {
        Observation {
            since: self.since,
            measured: self.gaps.measured(),
            blind_spells: self.counters.blind_spells,
            blind: self.counters.blind + self.blind_now(now),
            blind_in_ended_spells: self.counters.blind,
            unmeasured_gaps: self.gaps.unmeasured(),
            forgotten_records: self.counters.forgotten_records,
            duplicate_records: self.counters.duplicate_records,
            report_age: self.report_age(now),
            connected: self.is_connected(),
        }
    }

    /// How long the channels that cannot be seen now have been so.
    fn blind_now(&self, now: Duration) -> Duration {
        let blind = |channel: &ChannelHistory| match channel.view() {
            Some(Visibility::Blind { since }) => self.since_boot(since, now).unwrap_or_default(),
            _ => Duration::ZERO,
        };
        self.channels.iter().map(blind).sum()
    }

    /// Time from `then` of the node's clock until `now` of the aggregator's, over the newest batch: both clocks only measure
    /// their own part.
    fn since_boot(&self, then: Duration, now: Duration) -> Option<Duration> {
        let report = self.last_report?;
        Some(report.sent.saturating_sub(then) + now.saturating_sub(report.received))
    }

    /// The first channel whose heartbeats the agent cannot see now.
    pub(crate) fn unseen_channel(&self) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| {
            matches!(
                self.channels[channel.index()].view(),
                None | Some(Visibility::Blind { .. })
            )
        })
    }

    /// The gap running at `now`. Absent: unknown, because the agent is silent or blind, or the last heartbeat is not known.
    pub fn running_gap(&self, config: &Config, now: Duration) -> Option<RunningGap> {
        let age = self.report_age(now)?;
        let (at_report, start) = self.running_at_report()?;
        let (duration, controller) = (at_report + age, &config.controller);
        (age <= config.thresholds.stale_after).then(|| RunningGap {
            duration,
            earliest_flip_in: controller.earliest_flip(start).saturating_sub(duration),
            flip_probability: controller.flip_probability(duration, start),
            flip_probability_at_end: self.gaps.flip_probability_beyond(duration, controller),
        })
    }

    /// The gap that ran when the last report was received, with its start. Absent: the agent left, or the last heartbeat is not
    /// known.
    pub(crate) fn running_at_report(&self) -> Option<(Duration, GapStart)> {
        let unclear = self
            .channels
            .iter()
            .any(ChannelHistory::awaits_its_baseline);
        // Without a stream the silence is the agent's: the kubelet may be beating.
        if unclear || self.instance.has_left() || self.unseen_channel().is_some() {
            return None;
        }
        let running = self.chain.running()?;
        let sent = self.last_report?.sent;
        Some((sent.saturating_sub(running.since), running.start))
    }

    /// The agent whose records are kept. Absent: none came yet.
    pub const fn agent(&self) -> Option<&AgentId> {
        self.instance.current()
    }

    /// Ready's status and reason as seen last. Absent: not seen.
    pub const fn ready(&self) -> Option<&Ready> {
        self.ready.as_ref()
    }

    /// Median period of the channel that beats more often. Absent: none is known.
    pub fn median_period(&self) -> Option<Duration> {
        let periods = self
            .channels
            .iter()
            .filter_map(ChannelHistory::median_period);
        periods.min()
    }
}
