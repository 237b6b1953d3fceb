//! What is kept of how nodes stand is what a look at their histories says, whatever happens to them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use nodegrace_core::{
    AgentId, Channel, ConditionStatus, ControllerSettings, NodeFigures, Report, Standing, Verdict,
    WallTime,
    event::{ChannelView, Heartbeat, ReadyChange, Record, Visibility},
};
use nodegrace_proto::v1;
use proptest::prelude::*;
use tokio::runtime::Builder;

use super::{
    super::{Batch, Beside, Known, News, Register},
    Row,
};
use crate::{
    Config,
    query::{Field, Value, node_state, node_value, status},
};

const NODES: usize = 3;

/// One thing that can happen.
#[derive(Clone, Debug)]
enum Step {
    /// A node's agent reports a heartbeat that came so long after the last one, or a sample alone.
    Report(usize, Option<f64>),
    /// It reports something it cannot see, or sees again.
    View(usize, bool),
    /// Ready changes, to Unknown or back.
    Ready(usize, bool),
    /// Its stream ends.
    Leave(usize),
    /// Its agent is another one from now on, of another boot where that is so.
    Restart(usize, bool),
    /// So many seconds pass.
    Wait(f64),
    /// The aggregator starts anew with this grace period, and puts its nodes back.
    Settings(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..NODES;
    let gap = prop_oneof![9.0..11.0_f64, 15.0..80.0_f64];
    let pause = prop_oneof![8 => 0.0..20.0_f64, 1 => 0.0..400_000.0_f64];
    let step = prop_oneof![
        12 => (node(), prop::option::weighted(0.8, gap)).prop_map(|(node, gap)| Step::Report(node, gap)),
        1 => (node(), any::<bool>()).prop_map(|(node, seen)| Step::View(node, seen)),
        1 => (node(), any::<bool>()).prop_map(|(node, ready)| Step::Ready(node, ready)),
        1 => node().prop_map(Step::Leave),
        1 => (node(), any::<bool>()).prop_map(|(node, boot)| Step::Restart(node, boot)),
        6 => pause.prop_map(Step::Wait),
        1 => (30_u64..60).prop_map(Step::Settings),
    ];
    prop::collection::vec(step, 1..150)
}

/// An agent, and what it says next.
#[derive(Clone)]
struct Agent {
    id: AgentId,
    number: u64,
    is_open: bool,
    sees: bool,
    /// Arrival of its last heartbeat.
    last: f64,
}

struct World {
    config: Config,
    register: Register,
    agents: Vec<Agent>,
    /// Seconds on every clock.
    at: f64,
    /// What whoever watches was told of each node.
    told: BTreeMap<Arc<str>, Pulse>,
}

type Pulse = (nodegrace_core::State, Option<bool>);

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn wall(at: f64) -> WallTime {
    WallTime::from_unix_nanos((at * 1e9) as i64)
}

fn name(node: usize) -> Arc<str> {
    format!("node-{node}").into()
}

impl World {
    fn new() -> Self {
        let config = Config::default();
        let agent = |node| Agent {
            id: AgentId {
                boot_id: format!("boot of {node}").into(),
                start: Duration::from_secs(900),
            },
            number: 1,
            is_open: false,
            sees: true,
            last: 1000.0,
        };
        Self {
            register: Register::new(&config).expect("the defaults are settings"),
            config,
            agents: (0..NODES).map(agent).collect(),
            at: 1000.0,
            told: BTreeMap::new(),
        }
    }

    fn happen(&mut self, step: &Step) {
        match *step {
            Step::Report(node, gap) => {
                let agent = &mut self.agents[node];
                let arrival = gap.map(|gap| agent.last + gap);
                agent.last = arrival.unwrap_or(agent.last);
                self.at = self.at.max(agent.last);
                self.report(node, arrival.map(heartbeat));
            }
            Step::View(node, sees) => {
                self.agents[node].sees = sees;
                self.report(node, None);
            }
            Step::Ready(node, ready) => {
                let status = if ready {
                    ConditionStatus::True
                } else {
                    ConditionStatus::Unknown
                };
                self.report(node, Some(ready_change(status, self.at)));
            }
            Step::Leave(node) => {
                let agent = &mut self.agents[node];
                if std::mem::take(&mut agent.is_open) {
                    let (id, now) = (agent.id.clone(), seconds(self.at));
                    self.register.disconnect(&name(node), &id, now);
                    self.tell(node);
                }
            }
            Step::Restart(node, boot) => {
                let agent = &mut self.agents[node];
                (agent.number, agent.is_open) = (1, false);
                agent.id.start = seconds(self.at);
                if boot {
                    agent.id.boot_id = format!("boot of {node} at {}", self.at).into();
                }
            }
            Step::Wait(pause) => self.at += pause,
            Step::Settings(grace) => self.start_anew(grace),
        }
    }

    fn report(&mut self, node: usize, record: Option<Record>) {
        let agent = &mut self.agents[node];
        let view = |channel, visibility| ChannelView {
            channel,
            visibility,
        };
        let lease = if agent.sees {
            Visibility::Observed
        } else {
            Visibility::Blind {
                since: seconds(self.at),
            }
        };
        let records: Vec<_> = record
            .map(|record| (agent.number, record))
            .into_iter()
            .collect();
        agent.number += records.len() as u64;
        let batch = Batch {
            report: Report {
                node: name(node),
                agent: agent.id.clone(),
                sent: seconds(self.at),
                sent_time: wall(self.at),
                records,
                sent_records: None,
                dropped_before: 0,
                views: vec![
                    view(Channel::Lease, lease),
                    view(Channel::NodeStatus, Visibility::Observed),
                ],
                node_uid: None,
                rhythm: None,
                losses: None,
                replay: false,
            },
            news: News::none(),
            instance: (!agent.is_open).then(v1::AgentInstance::default),
            received: seconds(self.at),
        };
        agent.is_open = true;
        self.register
            .apply(batch, usize::MAX)
            .expect("there is room");
        self.tell(node);
    }

    fn start_anew(&mut self, grace: u64) {
        let grace = Duration::from_secs(grace);
        let controller = ControllerSettings::default();
        self.config.fleet.controller = controller.with_periods(grace, controller.monitor_period);
        let before = self.register.fleet();
        self.register = Register::new(&self.config).expect("settings");
        for history in before.histories() {
            let beside = Beside::kept(v1::AgentInstance::default(), News::none());
            self.register.restore(history.export(), beside);
        }
        self.agents
            .iter_mut()
            .for_each(|agent| agent.is_open = false);
        // Restored nodes are told at once, as they are then.
        let names = self.register.names();
        self.told = names
            .iter()
            .filter_map(|name| {
                Some((
                    Arc::clone(name),
                    self.register
                        .node(name, |known| self.pulse(known, Duration::ZERO))?,
                ))
            })
            .collect();
    }

    /// What a look at the history says.
    fn pulse(&self, known: Known<'_>, now: Duration) -> Pulse {
        let config = &self.config.fleet;
        let gap = known.history.running_gap(config, now);
        let state = Verdict::of(known.history, config, now).state;
        (state, gap.map(|gap| gap.earliest_flip_in.is_zero()))
    }

    fn tell(&mut self, node: usize) {
        let (name, now) = (name(node), seconds(self.at));
        let told = self.register.node(&name, |known| self.pulse(known, now));
        self.told.extend(told.map(|told| (name, told)));
    }

    /// Lets time pass, and checks who is told and who is forgotten.
    fn expire(&mut self) -> Result<(), TestCaseError> {
        let now = seconds(self.at);
        let gone = self.register.fleet().expire(now);
        let mut due = Vec::new();
        for (name, told) in &mut self.told {
            let pulse = self.register.node(name, |known| {
                let config = &self.config.fleet;
                let gap = known.history.running_gap(config, now);
                let state = Verdict::of(known.history, config, now).state;
                (state, gap.map(|gap| gap.earliest_flip_in.is_zero()))
            });
            if let Some(pulse) = pulse.filter(|pulse| pulse != told) {
                *told = pulse;
                due.push(Arc::clone(name));
            }
        }
        due.retain(|name| !gone.contains(name));
        let before = self.register.last_change();
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(self.register.expire(now));
        let later = self.register.changes(before, self.register.last_change());
        let mut changed: Vec<_> = later.into_iter().map(|(_, name)| name).collect();
        changed.sort_unstable();
        prop_assert_eq!(changed, due);
        for name in &gone {
            prop_assert!(!self.register.knows(name));
            self.told.remove(name);
        }
        Ok(())
    }

    /// What is kept of every node is what a look at its history says, every field of it.
    fn check(&self) -> Result<(), TestCaseError> {
        let now = seconds(self.at);
        let roster = self.register.roster();
        let fleet = self.register.fleet();
        let names: Vec<_> = fleet
            .histories()
            .map(|node| Arc::clone(node.name()))
            .collect();
        prop_assert_eq!(&**roster.names(), &names[..]);
        let contents = self.register.read();
        for number in 0..names.len() {
            let node = contents.glance(&roster, number).expect("known");
            let known = node.known().expect("known");
            prop_assert_eq!(
                *node.standing,
                Standing::of(known.history, &self.config.fleet)
            );
            let figures = known.figures(now);
            for field in Field::all() {
                let value = node_value(&node, field, now);
                prop_assert_eq!(value, by_figures(&figures, field), "{:?}", field);
            }
        }
        Ok(())
    }
}

/// The value of a field, from the node's whole figures.
fn by_figures(node: &NodeFigures, field: Field) -> Option<Value<'_>> {
    let gap = || node.gap.spread.as_ref();
    let seconds = |duration: Duration| Value::Seconds(duration.as_secs_f64());
    match field {
        Field::Name => Some(Value::Text(&node.name)),
        Field::State => Some(Value::State(node_state(node.verdict.state))),
        Field::Ready => node
            .ready
            .as_ref()
            .map(|ready| Value::Ready(status(ready.status))),
        Field::Margin => node
            .margin
            .map(|margin| Value::Seconds(margin.p99.seconds())),
        Field::ExpectedFlips => node
            .expected_flips
            .map(|flips| Value::Number(flips.per_day)),
        Field::GapP50 => gap().map(|gap| seconds(gap.p50)),
        Field::GapP99 => gap().map(|gap| seconds(gap.p99)),
        Field::GapMax => gap().map(|gap| seconds(gap.max)),
        Field::RunningGap => node.running_gap.map(|gap| seconds(gap.duration)),
        Field::PeriodP50 => {
            let periods = node
                .channels
                .iter()
                .filter_map(|channel| channel.period.spread);
            periods.map(|period| period.p50).min().map(seconds)
        }
        Field::Observed => Some(seconds(node.observation.measured)),
        Field::Risk => node.risk().map(Value::Number),
        Field::KubeletVersion => None,
        Field::Cause => node.cause().map(|kind| Value::Text(kind.name())),
        Field::Connected => Some(Value::Flag(node.observation.connected)),
    }
}

fn heartbeat(at: f64) -> Record {
    Record::Heartbeat(Heartbeat {
        channel: Channel::Lease,
        stamp: wall(at - 0.01),
        arrival: seconds(at),
        arrival_time: wall(at),
        resource_version: format!("{at}").into(),
        arrival_uncertainty: Duration::ZERO,
        baseline: false,
        uncredited_renewals: 0,
    })
}

fn ready_change(status: ConditionStatus, at: f64) -> Record {
    Record::ReadyChange(ReadyChange {
        status,
        reason: "NodeStatusUnknown".into(),
        transition: wall(at.floor()),
        arrival: seconds(at),
        arrival_time: wall(at),
        baseline: false,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn what_is_kept_of_a_node_is_what_a_look_at_its_history_says(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.happen(step);
            world.check()?;
            if matches!(step, Step::Wait(_)) {
                world.expire()?;
                world.check()?;
            }
        }
    }
}

#[test]
fn a_node_whose_stream_ends_long_after_its_last_report_is_forgotten() {
    let mut world = World::new();
    for step in [Step::Report(0, Some(10.0)), Step::Wait(400_000.0)] {
        world.happen(&step);
    }
    world.expire().expect("it is connected still");
    assert!(world.register.knows("node-0"));
    world.happen(&Step::Leave(0));
    world.expire().expect("it is silent for days");
    assert!(!world.register.knows("node-0"));
}

#[test]
fn a_row_takes_a_third_of_a_kibibyte_at_most() {
    let row = size_of::<Option<Row>>() + size_of::<Duration>();
    assert!(row <= 340, "{row} bytes");
}
