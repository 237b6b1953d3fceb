//! What a sample says, in the slim form that causes are judged by.

use std::time::Duration;

use super::figure::Figure;
use crate::{renewals::Count, time::WallTime};

/// What the node looked like at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// When it was looked at, since boot.
    pub at: Duration,
    /// When it was looked at, by the node's wall clock.
    pub wall: WallTime,
    /// True for one of the samples taken every second while a heartbeat was awaited: a series of its own, that carries what
    /// is cheap to read.
    pub fine: bool,
    /// Time that means and shares cover: since the sample before in its series. Absent: it is the first of the series.
    pub interval: Option<Duration>,
    /// The values that were read; totals in seconds since boot.
    pub figures: Figures,
    /// The kubelet's process. Absent: it was not seen, see `failed` for whether it was looked for.
    pub process: Option<KubeletSight>,
    /// When the kubelet started by its own metrics, on the node's wall clock. Absent: it did not say.
    pub metrics_start: Option<WallTime>,
    /// How many renewals the kubelet had counted when it was asked last. Absent: it did not say, or was not asked anew.
    pub renewals: Option<Count>,
    /// Sources that were read.
    pub read: Sources,
    /// Sources that are there and could not be read.
    pub failed: Sources,
}

impl Facts {
    /// A sample that says nothing yet.
    pub const fn new(at: Duration, wall: WallTime, fine: bool, interval: Option<Duration>) -> Self {
        Self {
            at,
            wall,
            fine,
            interval,
            figures: Figures::none(),
            process: None,
            metrics_start: None,
            renewals: None,
            read: Sources::NONE,
            failed: Sources::NONE,
        }
    }
}

/// The kubelet's process as a sample saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KubeletSight {
    /// When it started, since boot: another process starts at another time.
    pub start: Duration,
}

/// No machine does anything so often or for so long: what is more was made up, and sums of it would be no numbers.
const MOST: f64 = 1e12;

/// One value for each figure that a sample can carry, where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// One bit for each figure that has a value.
    present: u64,
    /// Totals since boot, which a 32-bit float would cut off after some days.
    totals: [f64; Figure::TOTALS],
    values: [f32; Figure::SAMPLED - Figure::TOTALS],
}

impl Figures {
    /// No value at all.
    pub const fn none() -> Self {
        Self {
            present: 0,
            totals: [0.0; Figure::TOTALS],
            values: [0.0; Figure::SAMPLED - Figure::TOTALS],
        }
    }

    /// Sets the value of a figure that samples carry. What is no number, negative or beyond 10^12 is left out: an absent figure
    /// is unknown.
    pub fn set(&mut self, figure: Figure, value: f64) {
        let index = figure.index();
        if index >= Figure::SAMPLED || !(0.0..=MOST).contains(&value) {
            return;
        }
        self.present |= 1 << index;
        match self.totals.get_mut(index) {
            Some(total) => *total = value,
            None => self.values[index - Figure::TOTALS] = value as f32,
        }
    }

    /// Sets the value where there is one.
    pub fn set_known(&mut self, figure: Figure, value: Option<f64>) {
        if let Some(value) = value {
            self.set(figure, value);
        }
    }

    /// Takes the value of a figure away.
    pub fn unset(&mut self, figure: Figure) {
        if figure.index() < Figure::SAMPLED {
            self.present &= !(1 << figure.index());
        }
    }

    /// The value of a figure; of a total its seconds since boot. Absent: unknown.
    pub fn get(&self, figure: Figure) -> Option<f64> {
        let index = figure.index();
        let known = index < Figure::SAMPLED && self.present & (1 << index) != 0;
        known.then(|| match self.totals.get(index) {
            Some(total) => *total,
            None => f64::from(self.values[index - Figure::TOTALS]),
        })
    }
}

/// One place that agents sample from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// /proc/loadavg.
    Load,
    /// /proc/stat.
    Cpu,
    /// /proc/pressure.
    Pressure,
    /// /proc/meminfo and /proc/vmstat.
    Memory,
    /// /proc/diskstats.
    Disk,
    /// /proc/PID of the kubelet.
    KubeletProcess,
    /// The runtime's socket.
    Runtime,
    /// The kubelet's /metrics.
    KubeletMetrics,
    /// TCP counters.
    Network,
    /// The kubelet's control group.
    KubeletCgroup,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 10] = [
        Self::Load,
        Self::Cpu,
        Self::Pressure,
        Self::Memory,
        Self::Disk,
        Self::KubeletProcess,
        Self::Runtime,
        Self::KubeletMetrics,
        Self::Network,
        Self::KubeletCgroup,
    ];
}

/// A set of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources(u16);

impl Sources {
    /// No source.
    pub const NONE: Self = Self(0);

    /// The set whose [`Self::bits`] these are; bits of no source are left out.
    pub const fn of_bits(bits: u16) -> Self {
        Self(bits & ((1 << Source::ALL.len()) - 1))
    }

    /// One bit for each source, in the order of [`Source::ALL`].
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Adds a source.
    pub const fn add(&mut self, source: Source) {
        self.0 |= 1 << source as u16;
    }

    /// True when it holds `source`.
    pub const fn has(self, source: Source) -> bool {
        self.0 & (1 << source as u16) != 0
    }

    /// The sources of both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its sources, in order.
    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL
            .into_iter()
            .filter(move |source| self.has(*source))
    }
}
