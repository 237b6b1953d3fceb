//! How answers are shown, as typed.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::show::{screen::Color, table::Form};

/// How answers are shown.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "How to show it")]
pub struct ShowArgs {
    /// Form of the answer.
    #[arg(
        short,
        long,
        global = true,
        default_value = "table",
        value_name = "FORM"
    )]
    pub output: Output,

    /// Tables without their titles.
    #[arg(long, global = true)]
    pub no_headers: bool,

    /// When colours are used. `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    pub color: Color,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people; on a narrow terminal with fewer columns.
    Table,
    /// With every column.
    Wide,
    /// The API's answer as JSON.
    Json,
    /// The API's answer as YAML.
    Yaml,
    /// Names of nodes only, as node/NAME.
    Name,
}

impl ShowArgs {
    /// How tables are wanted.
    pub fn form(self) -> Form {
        Form {
            wide: self.output == Output::Wide,
            titles: !self.no_headers,
        }
    }
}

/// Answers that follow what happens.
#[derive(Clone, Copy, Debug, Args)]
pub struct WatchArgs {
    /// Asks again and again until Ctrl-C: in place on a terminal, one answer after the other elsewhere.
    #[arg(short, long)]
    pub watch: bool,

    /// Pause between two questions of --watch.
    #[arg(
        long,
        default_value = "2s",
        value_name = "DURATION",
        value_parser = pause
    )]
    pub interval: Duration,
}

/// Shortest pause: each answer costs the aggregator a look at every node.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

fn pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if pause < SHORTEST_PAUSE {
        return Err("must be at least 500ms".to_owned());
    }
    Ok(pause)
}
