//! Holds the model of the controller against trials with a real one: which gaps flipped, and which it says would.
//!
//! `cargo run --release -p nodegrace-core --example flip_trials -- FILE.csv --grace-period 40s --monitor-period 5s`

mod arguments;
mod report;
mod trials;

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use arguments::Arguments;
use nodegrace_core::{
    ControllerSettings, PassDuration,
    calibration::{Calibration, Passes},
};
use report::Report;

/// Exit code of bad arguments (`EX_USAGE` of sysexits.h).
const USAGE: u8 = 64;
/// Exit code of a file that cannot be read or holds no trials (`EX_DATAERR`).
const BAD_DATA: u8 = 65;
/// Standard deviations beyond which prediction and outcome disagree.
const TOLERATED_DEVIATIONS: f64 = 3.0;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{}", arguments::HELP);
            return ExitCode::SUCCESS;
        }
        Err(error) => return fail(&format!("{error}\n\n{}", arguments::HELP), USAGE),
    };
    match run(&arguments) {
        Ok(calibration) if calibration.deviations().abs() <= TOLERATED_DEVIATIONS => {
            ExitCode::SUCCESS
        }
        Ok(_) => {
            eprintln!(
                "flip_trials: the prediction is more than {TOLERATED_DEVIATIONS} standard deviations off"
            );
            ExitCode::FAILURE
        }
        Err(error) => fail(&format!("{}: {error}", arguments.file.display()), BAD_DATA),
    }
}

fn run(arguments: &Arguments) -> Result<Calibration, String> {
    let text = std::fs::read_to_string(&arguments.file).map_err(|error| error.to_string())?;
    let trials = trials::parse(&text)?;
    let mut settings = ControllerSettings::default()
        .with_periods(arguments.grace_period, arguments.monitor_period);
    if let Some(pass) = arguments.pass_duration {
        settings.pass = PassDuration::constant(pass);
    }
    settings.validate().map_err(|error| error.to_string())?;
    let as_set = Passes::Settings(settings);
    let passes = match arguments.pass_duration {
        Some(_) => as_set.clone(),
        None => Passes::of(settings, &trials),
    };
    let calibration = Calibration::of(&passes, &trials).ok_or("no trials in it")?;
    print(&Report {
        settings,
        passes: &passes,
        calibration: &calibration,
        as_set: &Calibration::of(&as_set, &trials).ok_or("no trials in it")?,
    })?;
    Ok(calibration)
}

/// Prints, and lets a reader go that has seen enough.
fn print(report: &Report<'_>) -> Result<(), String> {
    match write!(std::io::stdout().lock(), "{report}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

fn fail(error: &str, code: u8) -> ExitCode {
    eprintln!("flip_trials: {error}");
    ExitCode::from(code)
}
