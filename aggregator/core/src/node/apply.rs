//! Writing: what an event changes of a node's history.

use std::{collections::VecDeque, time::Duration};

use super::{LastReport, NodeHistory, instance::Arrival};
use crate::{
    channel::ChannelHistory,
    event::{AgentId, BlindSpell, Channel, Losses, Record, Report, Visibility},
    fleet::Applied,
};

impl NodeHistory {
    pub(crate) fn connect(&mut self, agent: &AgentId) {
        self.take_agent(agent, true, false);
        self.instance.connect(agent);
    }

    pub(crate) fn disconnect(&mut self, agent: &AgentId) {
        self.instance.disconnect(agent);
    }

    /// Applies a batch received at `now` of the aggregator's clock. `tolerance` is the most uncertainty a gap may have.
    pub(crate) fn report(&mut self, report: Report, now: Duration, tolerance: Duration) -> Applied {
        if let Some(highest) = self.take_agent(&report.agent, false, !report.replay) {
            return self.refuse_late(&report, highest);
        }
        if self.knows_all_of(&report) {
            let duplicates = report.records.len() as u64;
            self.counters.duplicate_records += duplicates;
            return Applied {
                duplicates,
                acknowledged: self.instance.highest(),
                overtaken: true,
                ..Applied::default()
            };
        }
        let losses = report.losses.unwrap_or_default();
        self.count_forgotten(&report, losses);
        self.lose(losses);
        self.identify(&report);
        self.causes.rhythm = report.rhythm.unwrap_or(self.causes.rhythm);
        let mut spells = self.ended_spells(&report);
        if !report.replay {
            self.look(&report);
        }

        let sent = LastReport {
            sent: report.sent,
            received: now,
        };
        // A batch that was overtaken by a later one says nothing newer.
        if !report.replay && self.last_report.is_none_or(|last| last.sent <= sent.sent) {
            self.last_report = Some(sent);
        }
        self.since.get_or_insert(now);
        // A replay says when its newest record was made, not how long ago that is: reports of the same boot do.
        let clocks = match self.last_report {
            Some(last) if report.replay && !last.sent.is_zero() => last,
            _ => sent,
        };

        // An agent that catches up sends old records now: what the next batch holds may still belong to what this one ends with.
        let known_until = report.records.iter().map(|(_, record)| record.time()).max();
        let known_until = known_until.unwrap_or(sent.sent);
        let sent_records = report.sent_records();
        let mut applied = Applied::default();
        for (number, record) in report.records {
            if self.instance.keep(number) {
                applied.accepted += 1;
                applied.first_new.get_or_insert(number);
                let time = record.time();
                while let Some(spell) = spells.pop_front_if(|spell| spell.start < time) {
                    self.take_spell(&spell, tolerance);
                }
                self.record(record, clocks, tolerance, &mut applied);
            } else {
                applied.duplicates += 1;
            }
        }
        for spell in spells {
            self.take_spell(&spell, tolerance);
        }
        self.settle(known_until, &mut applied);
        applied.explained.extend(self.causes.pass(known_until));
        self.counters.duplicate_records += applied.duplicates;
        self.instance
            .reach(sent_records.map_or(0, |(_, last)| last));
        applied.acknowledged = self.instance.highest();
        applied
    }

    /// True when a batch was sent no later than the newest one and holds no new record: sent again, it changes nothing.
    fn knows_all_of(&self, report: &Report) -> bool {
        let newest = self
            .last_report
            .is_some_and(|last| last.sent >= report.sent);
        let overtaken = newest || (report.replay && !report.records.is_empty());
        let highest = self.instance.highest();
        let known = |(_, last)| last <= highest;
        overtaken && report.sent_records().is_none_or(known)
    }

    /// Counts the records of a replaced agent. Those that never came before cannot be put in order any more, because what its
    /// successor saw has been measured already; agents send what an earlier run left before anything of their own, so only
    /// one that came back from the dead gets here.
    fn refuse_late(&mut self, report: &Report, highest: u64) -> Applied {
        let known = report
            .records
            .iter()
            .filter(|(number, _)| *number <= highest);
        let duplicates = known.count() as u64;
        self.counters.duplicate_records += duplicates;
        self.counters.late_records += report.records.len() as u64 - duplicates;
        Applied {
            duplicates,
            acknowledged: report.records.last().map_or(0, |(number, _)| *number),
            overtaken: true,
            ..Applied::default()
        }
    }

    /// Makes `agent` the current one; gives the highest number kept of it when it was replaced already.
    fn take_agent(&mut self, agent: &AgentId, just_connected: bool, live: bool) -> Option<u64> {
        match self.instance.take(agent, just_connected, live) {
            Arrival::Current | Arrival::First => return None,
            Arrival::Replaced { highest } => return Some(highest),
            Arrival::Restarted => {
                self.leave_unseen();
                self.channels
                    .iter_mut()
                    .for_each(ChannelHistory::await_baseline);
            }
            Arrival::Rebooted => {
                self.drop_doubt();
                self.renewals.forget();
                self.channels
                    .iter_mut()
                    .for_each(ChannelHistory::forget_arrivals);
                self.causes.reboot(self.chain.last());
                self.chain.forget_arrivals();
                // The age of the last report stays; when it was sent was another boot's time.
                if let Some(report) = &mut self.last_report {
                    report.sent = Duration::ZERO;
                }
            }
        }
        self.losses_before = self.losses();
        self.losses = Losses::default();
        None
    }

    /// Numbers that never came here, and that were not lost since the last batch, went to another aggregator or to an earlier
    /// run of this one. That many at least: the losses may hold what instances before it lost at their ends. And they hold what
    /// was dropped only once a later record of its kind came, so that the agent says of the numbers right below how many it were.
    fn count_forgotten(&mut self, report: &Report, losses: Losses) {
        let Some((first, _)) = report.sent_records() else {
            return;
        };
        let highest = self.instance.highest();
        let lost = losses.missing().saturating_sub(self.losses.missing());
        let lost = lost.max(report.dropped_before);
        let forgotten = first.saturating_sub(highest + 1).saturating_sub(lost);
        let begins = report.begins();
        self.coverage.begins.get_or_insert(begins);
        if forgotten > 0 {
            self.counters.forgotten_records += forgotten;
            self.coverage.after_hole = self.coverage.after_hole.max(Some(begins));
            // There may have been heartbeats among them.
            self.break_chains();
        }
    }

    /// Lost heartbeats leave holes, and lost blind spells hide some.
    fn lose(&mut self, losses: Losses) {
        if losses.dropped_heartbeats > self.losses.dropped_heartbeats
            || losses.dropped_others > self.losses.dropped_others
        {
            self.break_chains();
        }
        self.losses = losses;
    }

    /// A Node that was deleted and created again starts over.
    fn identify(&mut self, report: &Report) {
        let Some(uid) = &report.node_uid else { return };
        if self.uid.as_ref().is_some_and(|known| known != uid) {
            self.break_chains();
        }
        self.uid = Some(uid.clone());
    }

    fn break_chains(&mut self) {
        self.drop_doubt();
        self.channels
            .iter_mut()
            .for_each(ChannelHistory::break_chain);
        self.chain.break_here();
    }

    /// Takes over what the agent sees of each channel. What it cannot see hides heartbeats from gaps of this batch.
    fn look(&mut self, report: &Report) {
        for channel in Channel::ALL {
            let view = report.views.iter().find(|view| view.channel == channel);
            let visibility = view.map(|view| view.visibility);
            let asked = self.causes.rhythm.asked(channel);
            let history = &mut self.channels[channel.index()];
            history.see(visibility);
            // A Lease that was deleted while no agent ran.
            if visibility == Some(Visibility::Absent) && history.awaits_its_baseline() {
                history.await_nothing();
                self.chain.break_here();
            }
            // Whether the spell hides heartbeats of its own channel shows when it ends; from gaps it does.
            match visibility {
                Some(Visibility::Observed | Visibility::Absent) => {}
                Some(Visibility::Blind { since }) => {
                    if history.can_hide(report.sent.saturating_sub(since), asked) {
                        self.chain.unseen(channel, since, report.sent);
                    }
                }
                // Its baseline will say whether something came since the agent before.
                None if history.awaits_its_baseline() => {}
                None => self.chain.blind(report.agent.start, report.sent),
            }
        }
    }

    /// The new blind spells of a batch, by when they began. Each hides heartbeats from gaps that end after that, wherever its
    /// record stands; a replay of hours has many, and what lies between two of them was seen.
    fn ended_spells(&mut self, report: &Report) -> VecDeque<BlindSpell> {
        let highest = self.instance.highest();
        let mut spells: Vec<_> = report
            .records
            .iter()
            .filter_map(|(number, record)| match record {
                Record::BlindSpell(spell) if *number > highest => Some(spell.clone()),
                _ => None,
            })
            .collect();
        spells.sort_by_key(|spell| spell.start);
        for spell in &spells {
            self.chain.seen_again(spell.channel, spell.end);
        }
        spells.into()
    }

    fn take_spell(&mut self, spell: &BlindSpell, tolerance: Duration) {
        let &BlindSpell { start, end, .. } = spell;
        let span = end.saturating_sub(start);
        self.await_backlog(end);
        let asked = self.causes.rhythm.asked(spell.channel);
        let history = &mut self.channels[spell.channel.index()];
        let can_hide = history.can_hide(span, asked);
        if !spell.resumed && can_hide {
            history.blind(start, end);
            self.chain.blind(start, end);
            self.may_hide(start);
        }
        // Events of a resumed watch come late, but come: until then they do not split the gaps of the other channel.
        if spell.resumed && can_hide && span > tolerance {
            self.chain.delayed(start, end);
        }
    }
}
