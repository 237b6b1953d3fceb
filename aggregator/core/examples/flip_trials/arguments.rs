//! The command line, with std alone.

use std::{path::PathBuf, time::Duration};

/// What `--help` prints.
pub(crate) const HELP: &str = "\
Usage: flip_trials FILE.csv --grace-period 40s --monitor-period 5s [--pass-duration 2ms]

Predicts which gaps of FILE the controller flips, and holds that against what it did.

  FILE.csv                 columns gap_s, t_last_beat, flipped and flip_after_s; others are ignored
  --grace-period DURATION  the controller's node-monitor-grace-period
  --monitor-period DURATION  the controller's node-monitor-period
  --pass-duration DURATION   how long each pass takes; without it, told from the times of the flips, and the prediction for
                             passes of 2.5 ms is printed beside
  -h, --help               this text

A DURATION is a number with a unit: 500ms, 40s, 1.5m.
Exit code: 0 within 3 standard deviations, 1 outside, 64 for bad arguments, 65 for a bad file.";

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) file: PathBuf,
    pub(crate) grace_period: Duration,
    pub(crate) monitor_period: Duration,
    pub(crate) pass_duration: Option<Duration>,
}

impl Arguments {
    /// Reads the arguments. None: help was asked for.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Option<Self>, String> {
        let mut arguments = arguments.into_iter();
        let (mut file, mut grace, mut monitor, mut pass) = (None, None, None, None);
        while let Some(argument) = arguments.next() {
            let (name, attached) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_string())),
                _ => (argument.as_str(), None),
            };
            let slot = match name {
                "-h" | "--help" => return Ok(None),
                "--grace-period" => &mut grace,
                "--monitor-period" => &mut monitor,
                "--pass-duration" => &mut pass,
                _ if name.starts_with('-') => return Err(format!("unknown argument {name}")),
                _ if file.is_some() => return Err(format!("one file at a time, not also {name}")),
                _ => {
                    file = Some(PathBuf::from(argument));
                    continue;
                }
            };
            let value = attached
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a duration"))?;
            *slot = Some(duration(&value).map_err(|error| format!("{name}: {error}"))?);
        }
        Ok(Some(Self {
            file: file.ok_or("no FILE.csv given")?,
            grace_period: positive("--grace-period", grace)?,
            monitor_period: positive("--monitor-period", monitor)?,
            pass_duration: pass,
        }))
    }
}

fn positive(name: &str, value: Option<Duration>) -> Result<Duration, String> {
    match value {
        None => Err(format!("{name} is missing")),
        Some(Duration::ZERO) => Err(format!("{name} must be longer than zero")),
        Some(value) => Ok(value),
    }
}

/// A number with a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    units
        .into_iter()
        .find_map(|(unit, seconds)| {
            let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
            Duration::try_from_secs_f64(number * seconds).ok()
        })
        .ok_or_else(|| format!("\"{text}\" is no duration such as 500ms, 40s or 1.5m"))
}
