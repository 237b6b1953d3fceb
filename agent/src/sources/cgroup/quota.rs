//! The quota of one control group, and how often it ran out of it.

use std::path::{Path, PathBuf};

use super::Version;
use crate::sources::{Missing, Reading, read_file};

/// Quota and throttling of one group.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sources) struct Quota {
    /// The group that has it.
    pub(in crate::sources) group: PathBuf,
    /// Processors that it allows.
    pub(in crate::sources) cores: f64,
    /// Periods in which the group ran, since it exists.
    pub(in crate::sources) periods: u64,
    /// Those in which it ran out of its quota.
    pub(in crate::sources) throttled_periods: u64,
    /// Time its tasks were held back, over all processors, in nanoseconds.
    pub(in crate::sources) throttled: u64,
}

impl Quota {
    /// The quota of one group. `None`: it has none.
    pub(super) fn of(group: &Path, version: Version) -> Reading<Option<Self>> {
        let limit = match version {
            Version::V1 => v1_limit(group),
            Version::V2 => v2_limit(group),
        };
        let cores = match limit {
            Ok(Some(cores)) => cores,
            // The root of a hierarchy has no limit, nor has a group without the controller.
            Ok(None) | Err(Missing::Absent(_)) => return Ok(None),
            Err(failed) => return Err(failed),
        };
        let stat = read_file(&group.join("cpu.stat"))?;
        let counter = |name| {
            let line = stat.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|count| count.trim().parse::<u64>().ok())
                .ok_or_else(|| unreadable(&group.join("cpu.stat"), &stat))
        };
        Ok(Some(Self {
            group: group.to_owned(),
            cores,
            periods: counter("nr_periods ")?,
            throttled_periods: counter("nr_throttled ")?,
            throttled: match version {
                Version::V1 => counter("throttled_time ")?,
                Version::V2 => counter("throttled_usec ")?.saturating_mul(1000),
            },
        }))
    }
}

/// `cpu.max` has the quota, or `max`, and the period.
fn v2_limit(group: &Path) -> Reading<Option<f64>> {
    let file = group.join("cpu.max");
    let text = read_file(&file)?;
    let mut words = text.split_whitespace();
    let (quota, period) = (words.next(), words.next());
    if quota == Some("max") {
        return Ok(None);
    }
    cores(quota, period)
        .map(Some)
        .ok_or_else(|| unreadable(&file, &text))
}

/// Two files have the quota, less than zero for none, and the period.
fn v1_limit(group: &Path) -> Reading<Option<f64>> {
    let file = group.join("cpu.cfs_quota_us");
    let quota = read_file(&file)?;
    if quota.starts_with('-') {
        return Ok(None);
    }
    let period = read_file(&group.join("cpu.cfs_period_us"))?;
    cores(Some(quota.trim()), Some(period.trim()))
        .map(Some)
        .ok_or_else(|| unreadable(&file, &quota))
}

fn cores(quota: Option<&str>, period: Option<&str>) -> Option<f64> {
    let (quota, period): (f64, f64) = (quota?.parse().ok()?, period?.parse().ok()?);
    (quota >= 0.0 && period > 0.0).then(|| quota / period)
}

fn unreadable(file: &Path, text: &str) -> Missing {
    let line = text.lines().next().unwrap_or_default();
    Missing::Failed(format!("{}: cannot read {line:?}", file.display()))
}
