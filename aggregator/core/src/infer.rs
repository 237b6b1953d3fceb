//! The controller's real grace period, inferred from the flips that were seen. Managed control planes do not tell it.
//!
//! A flip comes between G' and G' + P' after the last heartbeat, evenly, where it comes: so the smallest of n delays lies
//! P'/(n+1) above G' on average, and the k-th smallest k times that. A few flips come sooner for reasons that are no rule of
//! the controller's (a stale watch of its own); with many flips the smallest are passed over.
//!
//! One delay alone says little: the deviation from the settings must be more than such an order statistic's chance.
//!
//! What shows is G', the first whole number of polls past the grace period. A grace period between two polls acts as the later
//! of them, so it may be set up to one poll shorter than what is found.

use std::time::Duration;

use crate::{
    controller::{ControllerSettings, GapStart},
    fleet::Fleet,
    node::{NodeHistory, SeenFlip},
};

/// Share of the flips that are passed over as sooner than the rule.
const STRAY: f64 = 0.02;

/// A grace period found from flips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InferredGrace {
    /// The effective grace period: the set one, or up to one poll more.
    pub effective: Duration,
    /// The shortest grace period that acts like that.
    pub shortest: Duration,
    /// Flips it was found from.
    pub flips: u64,
    /// True when the settings' grace period cannot have led to these flips: they are off by more than half a monitor period and
    /// two standard deviations of what was found.
    pub contradicts_settings: bool,
}

/// Infers the grace period from delays between the last heartbeat and the flip, of a controller that polls as the settings
/// say. Absent: there are no delays.
pub fn infer_grace(settings: &ControllerSettings, delays: &[Duration]) -> Option<InferredGrace> {
    let mut delays = delays.to_vec();
    delays.sort_unstable();
    let passed_over = (delays.len() as f64 * STRAY) as usize;
    let delay = *delays.get(passed_over)?;
    let (interval, _) = settings.poll_interval();
    // The k-th smallest of n even numbers is beta distributed: its mean is k/(n+1).
    let (n, k) = (delays.len() as f64, (passed_over + 1) as f64);
    let mean = k / (n + 1.0);
    let above = interval.mul_f64(mean);
    let deviation = interval.mul_f64((mean * (1.0 - mean) / (n + 2.0)).sqrt());
    let effective = delay.saturating_sub(above);
    let expected = settings.effective_grace(settings.pass.shortest);
    Some(InferredGrace {
        effective,
        shortest: effective.saturating_sub(interval),
        flips: delays.len() as u64,
        contradicts_settings: effective.abs_diff(expected)
            > settings.monitor_period / 2 + 2 * deviation,
    })
}

/// Infers the grace period from the flips that were seen in the fleet. Absent: none was seen after a known heartbeat.
pub fn infer_fleet_grace(fleet: &Fleet) -> Option<InferredGrace> {
    let settings = &fleet.config().controller;
    let delays: Vec<Duration> = fleet
        .histories()
        .flat_map(NodeHistory::flips)
        .filter_map(|flip| delay(settings, flip))
        .collect();
    infer_grace(settings, &delays)
}

/// The delay of a flip as if its heartbeat had been credited once. Absent: whether it earned one more poll is not known.
fn delay(settings: &ControllerSettings, flip: &SeenFlip) -> Option<Duration> {
    let (interval, longest) = settings.poll_interval();
    match flip.start {
        GapStart::Once => flip.after,
        start if start.surely_earns_a_poll(longest) => flip.after?.checked_sub(interval),
        GapStart::StatusPost { .. } => None,
    }
}
