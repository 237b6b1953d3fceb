//! `--watch`: the same question again and again, in place on a terminal.

use std::{io::Write, time::Duration};

use nodegrace_clock::Clock;

use crate::{command::Answer, failure::Failure, show::screen::Screen, write};

/// The alternate screen without a cursor, and back (DEC private modes 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner; and away with what is left of the last answer.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

/// Shows one answer after the other, until one fails.
///
/// # Errors
/// The failure.
pub async fn repeat(
    mut ask: impl AsyncFnMut() -> Result<Answer, Failure>,
    pause: Duration,
    screen: &Screen,
    clock: &Clock,
    out: &mut (dyn Write + Send),
) -> Result<Answer, Failure> {
    let in_place = screen.size.is_some();
    loop {
        let answer = ask().await?;
        let text = answer.text
            + &answer
                .remark
                .map(|remark| remark + "\n")
                .unwrap_or_default();
        write(
            out,
            &if in_place {
                placed(&text, screen)
            } else {
                text
            },
        )?;
        clock.sleep(pause).await;
    }
}

/// Enters the alternate screen, and leaves it when dropped.
#[derive(Debug)]
pub struct Alternate;

impl Alternate {
    /// Enters.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn enter(out: &mut (dyn Write + Send)) -> Result<Self, Failure> {
        write(out, ENTER)?;
        Ok(Self)
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        // A terminal that is gone needs no care.
        let _ = write(&mut std::io::stdout(), LEAVE);
    }
}

/// The answer over the one before, line by line, so that nothing flickers; cut to the terminal's height.
fn placed(text: &str, screen: &Screen) -> String {
    let rows = screen.size.map_or(usize::MAX, |(_, rows)| rows);
    let lines: Vec<String> = text
        .lines()
        .take(rows)
        .map(|line| format!("{line}{CLEAR_LINE}"))
        .collect();
    format!("{HOME}{}{CLEAR_REST}", lines.join("\r\n"))
}
