//! Flags of the store on disk.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use crate::StoreConfig;

/// Where history is kept, and how much of it.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "History")]
pub struct StoreArgs {
    /// Keep history in this directory, and acknowledge what is on disk there. Without it history is in memory only and a
    /// restart forgets it.
    #[arg(long, env = "NODEGRACE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,

    /// How long gaps and flips stay in the database.
    #[arg(
        long,
        env = "NODEGRACE_RETAIN_FOR",
        default_value = "90d",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub retain_for: Duration,

    /// How long single heartbeats stay in the database; 0s keeps none.
    #[arg(
        long,
        env = "NODEGRACE_RETAIN_HEARTBEATS",
        default_value = "1h",
        value_name = "DURATION",
        value_parser = humantime::parse_duration
    )]
    pub retain_heartbeats: Duration,

    /// Size of the database in bytes, or with KiB, MiB, GiB or TiB, from which on its oldest heartbeats go, then its oldest gaps
    /// and flips.
    #[arg(
        long,
        env = "NODEGRACE_MAX_STORE_SIZE",
        default_value = "1GiB",
        value_name = "SIZE",
        value_parser = size
    )]
    pub max_store_size: u64,
}

impl StoreArgs {
    /// What they mean. Absent: in memory only.
    pub(super) fn store(&self) -> Option<StoreConfig> {
        let directory = self.data_dir.clone()?;
        Some(StoreConfig {
            retain_for: self.retain_for,
            retain_heartbeats: self.retain_heartbeats,
            max_bytes: self.max_store_size,
            ..StoreConfig::new(directory)
        })
    }
}

/// A number of bytes, with or without a unit.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        unit => return Err(format!("{unit} is no unit: KiB, MiB, GiB and TiB are")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| "must be a whole number of bytes, KiB, MiB, GiB or TiB".to_owned())?;
    number
        .checked_mul(1 << shift)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "must be above 0 and below 16 EiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_carry_a_unit_or_none() {
        assert_eq!(size("1GiB"), Ok(1 << 30));
        assert_eq!(size("4096"), Ok(4096));
        for text in ["", "GiB", "1GB", "-1", "0", "1.5GiB", "17179869184TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
