//! What is usual on a node: the figures of samples that were taken while its heartbeats were on time.
//!
//! A dozen rows are kept and looked at only when a gap is judged, so learning costs next to nothing. The first rows come one
//! after the other; from then on one sample in [`THINNING`] replaces the oldest row, so that what is usual changes within the
//! better part of an hour, and not while trouble builds up.

use super::{
    figure::{Figure, Unit},
    values::Values,
};

/// Rows kept, of two bytes a figure: an odd number, so that the median is one of them.
const ROWS: usize = 15;
/// Samples of which one replaces a row once all are filled: with one every 10 s the rows reach back 40 minutes.
const THINNING: u32 = 16;
/// Values without which nothing is usual.
const LEAST_VALUES: usize = 5;
/// Half the width of a normal distribution's quartiles in standard deviations, twice.
const QUARTILES_APART: f32 = 1.349;
/// The least standard deviation as a share of the median: figures that never change would make every change infinitely
/// unlikely.
const LEAST_RELATIVE: f32 = 0.05;

/// The least standard deviation of a figure that is usually nothing: what is closer to it cannot be told from it.
pub(super) const fn least_deviation(unit: Unit) -> f32 {
    match unit {
        Unit::Seconds => 0.02,
        Unit::Ratio => 0.005,
        Unit::PerSecond => 0.01,
        Unit::Count => 0.5,
    }
}

/// What is usual on a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// The samples learned, in no order.
    pub rows: Vec<Row>,
    /// Samples that could have been learned so far.
    pub offered: u32,
}

/// The values of one sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The upper half of each value as a 32-bit float, which is exact to 0.4 %.
    pub halves: [u16; Figure::SAMPLED],
}

/// What is usual of one figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Usual {
    /// Its median.
    pub(crate) median: f32,
    /// Its mean: of events so rare that most samples hold none, the median says nothing.
    pub(crate) mean: f32,
    /// Its standard deviation, estimated from the quartiles.
    pub(crate) deviation: f32,
}

impl Row {
    /// Values in a row.
    pub const LEN: usize = Figure::SAMPLED;

    /// The row of these halves. Absent: they are too few or too many.
    pub fn of_halves(halves: &[u16]) -> Option<Self> {
        let halves = halves.try_into().ok()?;
        Some(Self { halves })
    }

    /// The row of these values.
    pub(crate) fn of(values: &Values) -> Self {
        let mut halves = [half(f32::NAN); Figure::SAMPLED];
        for (figure, value) in values.known() {
            halves[figure.index()] = half(value);
        }
        Self { halves }
    }

    fn get(&self, figure: Figure) -> Option<f32> {
        let half = *self.halves.get(figure.index())?;
        let value = f32::from_bits(u32::from(half) << 16);
        (!value.is_nan()).then_some(value)
    }
}

/// The upper half of a float: its sign, its exponent and seven bits more.
const fn half(value: f32) -> u16 {
    (value.to_bits() >> 16) as u16
}

impl Baseline {
    /// Learns a sample taken while heartbeats were on time.
    pub(crate) fn learn(&mut self, row: Row) {
        if self.rows.len() < ROWS {
            self.rows.push(row);
        } else if self.offered.is_multiple_of(THINNING) {
            self.rows[(self.offered / THINNING) as usize % ROWS] = row;
        }
        self.offered = self.offered.wrapping_add(1);
    }

    /// What is usual of `figure`. Absent: not learned yet.
    pub(crate) fn usual(&self, figure: Figure) -> Option<Usual> {
        let mut values: Vec<f32> = self.rows.iter().filter_map(|row| row.get(figure)).collect();
        if values.len() < LEAST_VALUES {
            return None;
        }
        values.sort_unstable_by(f32::total_cmp);
        let last = values.len() - 1;
        let apart = values[last - last / 4] - values[last / 4];
        let median = values[last / 2];
        let floor = least_deviation(figure.unit()).max(LEAST_RELATIVE * median);
        Some(Usual {
            median,
            mean: values.iter().sum::<f32>() / values.len() as f32,
            deviation: (apart / QUARTILES_APART).max(floor),
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<Row>()
    }
}
