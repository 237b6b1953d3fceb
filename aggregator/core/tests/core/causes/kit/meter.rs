//! What one series of samples measures of a host.

use std::collections::BTreeMap;

use nodegrace_core::cause::{Facts, Figure, Reading};

use crate::kit::{s, wall};

/// What one series of samples has measured since its last sample.
#[derive(Clone, Default)]
pub(super) struct Meter {
    last: Option<u32>,
    sums: BTreeMap<Figure, f64>,
    totals: BTreeMap<Figure, f64>,
    now: BTreeMap<Figure, f64>,
}

impl Meter {
    pub(super) fn second(&mut self, figures: &BTreeMap<Figure, f64>) {
        for (figure, value) in figures {
            *self.totals.entry(*figure).or_default() += value;
            let sum = self.sums.entry(*figure).or_default();
            if figure.reading() == Reading::Peak {
                *sum = sum.max(*value);
            } else {
                *sum += value;
            }
        }
        self.now.clone_from(figures);
    }

    /// The sample taken now.
    pub(super) fn facts(&mut self, at: u32, fine: bool, stepped: f64) -> Facts {
        let interval = self.last.replace(at).map(|last| f64::from(at - last));
        let time = wall(f64::from(at) + stepped);
        let mut facts = Facts::new(s(f64::from(at)), time, fine, interval.map(s));
        for (figure, now) in &self.now {
            let sum = self.sums.get(figure).copied().unwrap_or_default();
            let value = match figure.reading() {
                Reading::Total => Some(self.totals[figure]),
                Reading::Moment => Some(*now),
                Reading::Peak => Some(sum),
                _ => interval.map(|interval| sum / interval),
            };
            if !(fine && is_dear(*figure)) {
                facts.figures.set_known(*figure, value);
            }
        }
        self.sums.clear();
        facts
    }
}

/// Figures that fine samples do not carry.
fn is_dear(figure: Figure) -> bool {
    ["runtime.", "kubelet_metrics."]
        .iter()
        .any(|source| figure.name().starts_with(source))
}
