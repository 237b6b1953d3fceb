//! An agent written down: heartbeats at chosen seconds, sent as the batches a real agent would send.

use std::{sync::Arc, time::Duration};

use nodegrace_core::{
    AgentId, Applied, ConditionStatus, Config, ControllerSettings, Event, Fleet, Losses,
    NodeFigures, Report, WallTime,
    cause::Facts,
    event::{
        BlindReason, BlindSpell, Channel, ChannelView, Heartbeat, ReadyChange, Record, Rhythm,
        Visibility,
    },
    snapshot::Count,
};

/// The name of every test's node.
pub(crate) const NODE: &str = "node-1";
/// How much later the aggregator's clock started than the node's.
const AGGREGATOR_BEHIND: u64 = 500;
/// The node's wall clock when its monotonic clock is at zero.
const BOOT_TIME: i64 = 1_700_000_000;

pub(crate) fn s(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// A wall time of the node.
pub(crate) fn wall(seconds: f64) -> WallTime {
    WallTime::from_unix_nanos(BOOT_TIME * 1_000_000_000 + (seconds * 1e9) as i64)
}

/// A configuration with the controller of Kubernetes 1.31: grace 40 s, polls every 5 s.
pub(crate) fn config() -> Config {
    let controller = ControllerSettings::default().with_periods(s(40.0), s(5.0));
    Config {
        controller,
        ..Config::default()
    }
}

pub(crate) fn fleet() -> Fleet {
    Fleet::new(config()).expect("the settings are a controller's")
}

/// The aggregator's time when the node's clock says `seconds`.
pub(crate) fn now(seconds: f64) -> Duration {
    s(seconds) - Duration::from_secs(AGGREGATOR_BEHIND)
}

/// The node's figures when its clock says `seconds`.
pub(crate) fn figures(fleet: &Fleet, seconds: f64) -> NodeFigures {
    fleet.node(NODE, now(seconds)).expect("it reported")
}

/// An agent whose clock starts at 1,000 s.
#[derive(Clone)]
pub(crate) struct Agent {
    id: AgentId,
    next_number: u64,
    records: Vec<(u64, Record)>,
    views: [Option<Visibility>; 2],
    resource_version: u64,
    losses: Option<Losses>,
    uid: Option<Arc<str>>,
    uncredited: u32,
    /// When it booted, on the clock that `wall` takes.
    boot: f64,
    rhythm: Option<Rhythm>,
}

impl Agent {
    /// An agent that sees both channels and has found nothing yet.
    pub(crate) fn new(boot_id: &str, start: f64) -> Self {
        Self {
            id: AgentId {
                boot_id: boot_id.into(),
                start: s(start),
            },
            next_number: 1,
            records: Vec::new(),
            views: [Some(Visibility::Observed); 2],
            resource_version: 100,
            losses: None,
            uid: None,
            uncredited: 0,
            boot: 0.0,
            rhythm: None,
        }
    }

    /// An agent of a node without a Lease.
    pub(crate) fn without_lease(boot_id: &str, start: f64) -> Self {
        let mut agent = Self::new(boot_id, start);
        agent.view(Channel::Lease, Some(Visibility::Absent));
        agent
    }

    pub(crate) fn id(&self) -> AgentId {
        self.id.clone()
    }

    pub(crate) fn view(&mut self, channel: Channel, visibility: Option<Visibility>) {
        self.views[channel as usize] = visibility;
    }

    pub(crate) fn lose(&mut self, losses: Losses) {
        self.losses = Some(losses);
    }

    /// The kubelet's settings were read.
    pub(crate) fn rhythm(&mut self, rhythm: Rhythm) {
        self.rhythm = Some(rhythm);
    }

    pub(crate) fn recreate_node(&mut self, uid: &str) {
        self.uid = Some(uid.into());
    }

    /// Leaves out a number, as if its record had been dropped or acknowledged before.
    pub(crate) fn skip_numbers(&mut self, count: u64) {
        self.next_number += count;
    }

    /// Goes back to a number that was sent already.
    pub(crate) fn repeat(&mut self, number: u64) {
        self.next_number = number;
    }

    /// What it left behind when it ended, sent by its successor: nothing of it is about now.
    pub(crate) fn replay(&mut self, fleet: &mut Fleet, newest: f64, at: f64) -> Applied {
        let Event::Report(report) = self.batch(newest) else {
            unreachable!("a batch is a report")
        };
        let replayed = Report {
            views: Vec::new(),
            replay: true,
            ..report
        };
        fleet.apply(Event::Report(replayed), now(at))
    }

    fn push(&mut self, record: Record) {
        self.records.push((self.next_number, record));
        self.next_number += 1;
    }

    fn heartbeat(&mut self, channel: Channel, at: f64) -> Heartbeat {
        self.resource_version += 1;
        Heartbeat {
            channel,
            stamp: wall(self.boot + at - 0.02),
            arrival: s(at),
            arrival_time: wall(self.boot + at),
            resource_version: self.resource_version.to_string().into(),
            arrival_uncertainty: Duration::ZERO,
            baseline: false,
            uncredited_renewals: 0,
        }
    }

    /// The Lease was renewed at `at`.
    pub(crate) fn lease(&mut self, at: f64) {
        let heartbeat = self.heartbeat(Channel::Lease, at);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// The status was posted at `at`.
    pub(crate) fn status(&mut self, at: f64) {
        let heartbeat = self.heartbeat(Channel::NodeStatus, at);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// A heartbeat arrived at `at`, stamped `delay` before.
    pub(crate) fn delayed(&mut self, channel: Channel, at: f64, delay: f64) {
        let mut heartbeat = self.heartbeat(channel, at);
        heartbeat.stamp = wall(at - delay);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// A heartbeat arrived at `at`, stamped `delay` before, on a wall clock that is `stepped` seconds ahead of itself.
    pub(crate) fn stepped(&mut self, channel: Channel, at: f64, delay: f64, stepped: f64) {
        let mut heartbeat = self.heartbeat(channel, at);
        heartbeat.arrival_time = wall(at + stepped);
        heartbeat.stamp = wall(at + stepped - delay);
        heartbeat.uncredited_renewals = std::mem::take(&mut self.uncredited);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// The next heartbeat comes after this many that the controller does not credit.
    pub(crate) fn uncredited(&mut self, renewals: u32) {
        self.uncredited = renewals;
    }

    /// Its machine booted at `at` of the clock that ran before.
    pub(crate) fn booted(&mut self, at: f64) {
        self.boot = at;
    }

    /// A sample was taken.
    pub(crate) fn sample(&mut self, facts: Facts) {
        self.push(Record::Sample(Box::new(facts)));
    }

    /// The channel could not be seen, for this reason; nothing was missed.
    pub(crate) fn blind_for(
        &mut self,
        channel: Channel,
        start: f64,
        end: f64,
        reason: BlindReason,
    ) {
        self.push(Record::BlindSpell(BlindSpell {
            channel,
            start: s(start),
            end: s(end),
            reason,
            resumed: true,
        }));
    }

    /// The Lease was renewed up to `uncertainty` before `at`, when it was seen.
    pub(crate) fn late_lease(&mut self, at: f64, uncertainty: f64) {
        self.late(Channel::Lease, at, uncertainty);
    }

    /// The same of the status.
    pub(crate) fn late_status(&mut self, at: f64, uncertainty: f64) {
        self.late(Channel::NodeStatus, at, uncertainty);
    }

    /// The kubelet was asked at `at` and had counted so many renewals.
    pub(crate) fn count(&mut self, at: f64, renewals: u64) {
        let mut facts = Facts::new(s(at), wall(self.boot + at), false, None);
        facts.renewals = Some(Count {
            asked: s(at - 0.1),
            answered: s(at),
            renewals,
        });
        self.sample(facts);
    }

    fn late(&mut self, channel: Channel, at: f64, uncertainty: f64) {
        let mut heartbeat = self.heartbeat(channel, at);
        heartbeat.arrival_uncertainty = s(uncertainty);
        heartbeat.stamp = wall(at - uncertainty);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// The first list found the channel's object as `resource_version`, stamped at `at`.
    pub(crate) fn baseline(&mut self, channel: Channel, at: f64, resource_version: u64) {
        let mut heartbeat = self.heartbeat(channel, at);
        heartbeat.baseline = true;
        heartbeat.resource_version = resource_version.to_string().into();
        self.resource_version = self.resource_version.max(resource_version);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// The first list found the channel's object as it was stamped `age` before.
    pub(crate) fn old_baseline(&mut self, channel: Channel, at: f64, age: f64) {
        let mut heartbeat = self.heartbeat(channel, at);
        heartbeat.baseline = true;
        heartbeat.stamp = wall(self.boot + at - age);
        self.push(Record::Heartbeat(heartbeat));
    }

    /// resourceVersion of the last heartbeat.
    pub(crate) fn resource_version(&self) -> u64 {
        self.resource_version
    }

    pub(crate) fn blind(&mut self, channel: Channel, start: f64, end: f64, resumed: bool) {
        self.push(Record::BlindSpell(BlindSpell {
            channel,
            start: s(start),
            end: s(end),
            reason: BlindReason::Connection,
            resumed,
        }));
    }

    pub(crate) fn ready(&mut self, status: ConditionStatus, at: f64) {
        self.push(Record::ReadyChange(ReadyChange {
            status,
            reason: "SomeReason".into(),
            transition: wall(at.floor()),
            arrival: s(at),
            arrival_time: wall(at),
            baseline: false,
        }));
    }

    /// The batch with all records since the last one, sent at `at`.
    pub(crate) fn batch(&mut self, at: f64) -> Event {
        let views = Channel::ALL
            .into_iter()
            .filter_map(|channel| {
                let visibility = self.views[channel as usize]?;
                Some(ChannelView {
                    channel,
                    visibility,
                })
            })
            .collect();
        Event::Report(Report {
            node: NODE.into(),
            agent: self.id(),
            sent: s(at),
            sent_time: wall(at),
            records: std::mem::take(&mut self.records),
            sent_records: None,
            dropped_before: 0,
            views,
            node_uid: self.uid.clone(),
            rhythm: self.rhythm,
            losses: self.losses,
            replay: false,
        })
    }

    /// Sends that batch; it arrives at once.
    pub(crate) fn send(&mut self, fleet: &mut Fleet, at: f64) -> Applied {
        fleet.apply(self.batch(at), now(at))
    }
}
