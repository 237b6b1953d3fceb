//! The kit of the tests: an aggregator with fixed answers, the program run against it, and golden files.

mod aggregator;
mod answers;
mod endpoints;

use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use clap::Parser as _;
use kubectl_nodegrace::{
    Args, Surroundings,
    command::Answer,
    failure::Failure,
    reach::{Bearer, queries},
    run,
    show::screen::{Glyphs, Screen},
};
use nodegrace_clock::Clock;

pub use self::{aggregator::Fixed, answers::watch};

/// A terminal of so many columns, without colours.
pub const fn terminal(columns: usize) -> Screen {
    Screen {
        size: Some((columns, 24)),
        color: false,
        glyphs: Glyphs::Unicode,
    }
}

/// What the program writes to standard output when it asks the usual aggregator.
///
/// # Panics
/// When it fails.
pub async fn output(words: &[&str], screen: &Screen) -> String {
    let (text, answer) = answer(words, screen, Fixed::default()).await;
    answer.unwrap_or_else(|failure| panic!("{words:?}: {failure}"));
    text
}

/// What the program writes to standard output when it asks `aggregator`, and how it ends.
pub async fn answer(
    words: &[&str],
    screen: &Screen,
    aggregator: Fixed,
) -> (String, Result<Answer, Failure>) {
    let clock = Clock::scaled(1.0, UNIX_EPOCH + Duration::from_secs(answers::NOW as u64));
    let mut out = Vec::new();
    let surroundings = Surroundings {
        screen,
        clock: &clock,
        out: &mut out,
    };
    let queries = queries(aggregator.channel(), Bearer::default());
    let outcome = run(&args(words), queries, surroundings).await;
    (String::from_utf8(out).expect("text"), outcome)
}

/// The command line of these words.
///
/// # Panics
/// When it makes no sense.
pub fn args(words: &[&str]) -> Args {
    let words = ["kubectl-nodegrace"].iter().chain(words);
    Args::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"))
}

/// Holds `text` against a golden file, which `GOLDEN=write cargo test -p kubectl-nodegrace` writes anew.
///
/// # Panics
/// When they differ.
pub fn assert_golden(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    if env::var("GOLDEN").is_ok_and(|how| how == "write") {
        fs::write(&path, text).expect("the golden file is written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == text,
        "{file} is not what it was; if that is meant, run with GOLDEN=write\n--- was\n{golden}\n--- is\n{text}"
    );
}
