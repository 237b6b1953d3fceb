//! A host written down second by second, and the samples that an agent would take of it.

mod meter;
mod views;

use std::collections::BTreeMap;

use nodegrace_core::{
    Fleet, NodeHistory,
    cause::{
        Cause, CauseKind, Explained, Explanation, Facts, Figure, KubeletSight, Source, Sources,
    },
    event::{BlindReason, Channel},
};

use self::meter::Meter;
use super::from;
use crate::kit::{Agent, NODE, fleet, s, wall};

/// Time between coarse samples, in seconds.
const COARSE: u32 = 10;
/// A heartbeat is usually this many seconds after the last one.
pub(crate) const USUAL: u32 = 10;
/// Fine samples begin this many seconds after the last heartbeat.
const FINE_AFTER: u32 = 11;

/// What is off, second by second: the figures that are not as usual in the second that ends so long after the last heartbeat.
pub(crate) type Trouble<'a> = &'a dyn Fn(u32) -> Vec<(Figure, f64)>;

/// A node, its agent and the host they run on.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) fleet: Fleet,
    pub(crate) agent: Agent,
    channel: Channel,
    /// Now, in seconds since boot.
    pub(crate) at: u32,
    ordinary: BTreeMap<Figure, f64>,
    sources: Sources,
    process_start: Option<f64>,
    /// When the kubelet started by its metrics. Absent: they do not say.
    pub(crate) metrics_start: Option<f64>,
    /// The explanations that were given so far.
    pub(crate) given: Vec<Explained>,
    /// Seconds between coarse samples.
    pub(crate) coarse: u32,
    series: [Meter; 2],
    /// What seconds between the stamp of a heartbeat and its arrival.
    pub(crate) delay: f64,
    /// How far the wall clock was stepped.
    pub(crate) stepped: f64,
    /// Whether fine samples are taken.
    fine: bool,
    /// Fine samples that are heard only after the next coarse one. Absent: they are heard as they are taken.
    held_back: Option<Vec<Facts>>,
    /// Seconds until the aggregator restarts. Absent: it does not.
    restart_in: Option<u32>,
}

impl Host {
    /// A healthy node that renews its Lease, and an agent that reads all there is.
    pub(crate) fn new() -> Self {
        let ordinary = [
            (Figure::PressureCpuSome, 0.1),
            (Figure::PressureIoSome, 0.02),
            (Figure::PressureIoFull, 0.01),
            (Figure::PressureMemorySome, 0.0),
            (Figure::PressureMemoryFull, 0.0),
            (Figure::MachineSuspended, 0.0),
            (Figure::KubeletStopped, 0.0),
            (Figure::KubeletWaitsForIo, 0.0),
            (Figure::CpuSteal, 0.0),
            (Figure::CpuUncounted, 0.0),
            (Figure::CpuIowait, 0.01),
            (Figure::DiskBusy, 0.1),
            (Figure::KubeletCpu, 0.05),
            (Figure::KubeletRunQueueWait, 0.01),
            (Figure::Throttled, 0.0),
            (Figure::ThrottledPeriods, 0.0),
            (Figure::Retransmits, 0.001),
            (Figure::TcpTimeouts, 0.0),
            (Figure::KubeletUnanswered, 0.0),
            (Figure::ApiUnanswered, 0.0),
            (Figure::ApiRefused, 0.0),
            (Figure::ApiPut, 0.01),
            (Figure::ApiPutTime, 0.001),
            (Figure::RuntimeCall, 0.05),
            (Figure::RuntimeOperation, 0.02),
        ];
        let mut sources = Sources::NONE;
        for source in Source::ALL {
            sources.add(source);
        }
        Self {
            fleet: fleet(),
            agent: Agent::new("boot-1", 990.0),
            channel: Channel::Lease,
            at: 1000,
            ordinary: ordinary.into(),
            sources,
            process_start: Some(50.0),
            metrics_start: None,
            given: Vec::new(),
            coarse: COARSE,
            series: [Meter::default(), Meter::default()],
            delay: 0.02,
            stepped: 0.0,
            fine: true,
            held_back: None,
            restart_in: None,
        }
    }

    /// What a figure is on this node as a rule.
    pub(crate) fn usually(mut self, figure: Figure, value: f64) -> Self {
        self.ordinary.insert(figure, value);
        self
    }

    /// Beats so often on time, and the node's usual figures are learned.
    pub(crate) fn settle(self, beats: u32) -> Self {
        self.settle_every(USUAL, beats)
    }

    /// Beats so often, with this many seconds between heartbeats as a rule.
    pub(crate) fn settle_every(mut self, seconds: u32, beats: u32) -> Self {
        let fine = std::mem::replace(&mut self.fine, false);
        self.beat();
        for _ in 0..beats {
            self.pass(seconds, &|_| Vec::new());
            self.beat();
        }
        self.fine = fine;
        self
    }

    /// Fine samples are heard only after the next coarse one, or with the next heartbeat.
    pub(crate) fn hold_fine_back(&mut self) {
        self.held_back = Some(Vec::new());
    }

    /// The aggregator restarts in so many seconds.
    pub(crate) fn restart_after(&mut self, seconds: u32) {
        self.restart_in = Some(seconds);
    }

    /// A heartbeat arrives.
    pub(crate) fn beat(&mut self) {
        self.let_go();
        let at = f64::from(self.at);
        self.agent
            .stepped(self.channel, at, self.delay, self.stepped);
        self.send();
    }

    /// A heartbeat of this channel arrives.
    pub(crate) fn beat_on(&mut self, channel: Channel) {
        let usual = std::mem::replace(&mut self.channel, channel);
        self.beat();
        self.channel = usual;
    }

    /// Seconds pass since the last heartbeat, with trouble, and samples are taken.
    pub(crate) fn pass(&mut self, seconds: u32, trouble: Trouble<'_>) {
        for second in 1..=seconds {
            self.at += 1;
            self.restart_in = self.restart_in.and_then(|left| {
                if left == 0 {
                    self.fleet.import(self.history().export());
                }
                left.checked_sub(1)
            });
            let mut figures = self.ordinary.clone();
            for (figure, value) in trouble(second) {
                if self.ordinary.contains_key(&figure) {
                    figures.insert(figure, value);
                }
            }
            for meter in &mut self.series {
                meter.second(&figures);
            }
            if self.at % self.coarse == 3 {
                self.sample(false);
            }
            if self.fine && second >= FINE_AFTER {
                self.sample(true);
            }
        }
    }

    /// A sample is taken now.
    pub(crate) fn sample(&mut self, fine: bool) {
        if self.sources == Sources::NONE {
            return;
        }
        let mut facts = self.series[usize::from(fine)].facts(self.at, fine, self.stepped);
        facts.read = self.sources;
        if facts
            .figures
            .get(Figure::KubeletUnanswered)
            .is_some_and(|share| share > 0.0)
        {
            facts.failed.add(Source::KubeletMetrics);
        } else if !fine {
            facts.metrics_start = self.metrics_start.map(|start| wall(start + self.stepped));
        }
        facts.process = self
            .process_start
            .map(|start| KubeletSight { start: s(start) });
        match &mut self.held_back {
            Some(held) if fine => held.push(facts),
            _ => {
                self.agent.sample(facts);
                self.let_go();
            }
        }
        self.send();
    }

    fn let_go(&mut self) {
        for facts in self.held_back.iter_mut().flat_map(std::mem::take) {
            self.agent.sample(facts);
        }
    }

    /// The kubelet's process is gone from now on, or another one runs.
    pub(crate) fn run_kubelet(&mut self, start: Option<f64>) {
        self.process_start = start;
    }

    /// Everything recorded so far is sent.
    pub(crate) fn send(&mut self) {
        let applied = self.agent.send(&mut self.fleet, f64::from(self.at));
        self.given.extend(applied.explained);
    }

    /// The heartbeat comes after so many seconds, which went like that; why it was late.
    pub(crate) fn late(&mut self, seconds: u32, trouble: Trouble<'_>) -> Explanation {
        self.pass(seconds, trouble);
        self.beat();
        if self.fine {
            self.sample(true);
        }
        for _ in 0..2 {
            self.pass(USUAL, &|_| Vec::new());
            self.beat();
        }
        self.latest()
    }

    /// The agent cannot see the Lease in this span, and finds afterwards that it missed nothing.
    pub(crate) fn blind(&mut self, start: u32, reason: BlindReason) {
        let (from, to) = (f64::from(start), f64::from(self.at));
        self.agent.blind_for(self.channel, from, to, reason);
    }

    /// The node's history.
    pub(crate) fn history(&self) -> &NodeHistory {
        self.fleet.history(NODE).expect("it reported")
    }

    /// A kubelet of which only the metrics are seen answers none for so many seconds from the fifth on: another took its place,
    /// one second before the heartbeat, which the metrics show later. Gives what is told in the end.
    pub(crate) fn restarts_unseen(mut self, seconds: u32) -> Explanation {
        self.metrics_start = Some(50.0);
        let mut host = self.settle(30);
        host.pass(seconds, &from(5, &[(Figure::KubeletUnanswered, 1.0)]));
        host.metrics_start = Some(f64::from(host.at - 1));
        host.beat();
        // The sample that follows covers the time before as well.
        for _ in 0..3 {
            host.pass(10, &|_| Vec::new());
            host.beat();
        }
        host.latest()
    }

    /// The explanation of the latest late gap.
    pub(crate) fn latest(&self) -> Explanation {
        let explained = self.history().explained();
        explained.last().expect("a gap was explained").why.clone()
    }
}

/// The kinds of its causes, in order.
pub(crate) fn kinds(why: &Explanation) -> Vec<CauseKind> {
    why.causes.iter().map(|cause| cause.kind).collect()
}

/// The first cause.
pub(crate) fn first(why: &Explanation) -> &Cause {
    &why.causes[0]
}
