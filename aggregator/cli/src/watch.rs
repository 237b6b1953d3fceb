//! `--watch`: the same question again and again, in place on a terminal.

use std::{io::Write, time::Duration};

use nodegrace_clock::Clock;

use crate::{
    command::Answer,
    failure::Failure,
    show::{figure::of_seconds, line::wrapped, screen::Screen},
    write,
};

/// The alternate screen without a cursor, and back (DEC private modes 1049 and 25).
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the upper left corner; and away with what is left of the last answer.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_REST: &str = "\x1b[J";

/// Shows one answer after the other. Once there was one, a failure that may pass is shown beside it, and the question asked again.
///
/// # Errors
/// Any other failure, and the first answer's.
pub async fn repeat(
    mut ask: impl AsyncFnMut() -> Result<Answer, Failure>,
    pause: Duration,
    screen: &Screen,
    clock: &Clock,
    out: &mut (dyn Write + Send),
) -> Result<Answer, Failure> {
    let in_place = screen.size.is_some();
    let mut latest: Option<(Duration, String)> = None;
    loop {
        let shown = match ask().await {
            Ok(answer) => {
                let remark = answer.remark.map(|remark| remark + "\n");
                let text = answer.text + &remark.unwrap_or_default();
                latest = Some((clock.now(), text.clone()));
                text
            }
            Err(failure) => match &latest {
                Some((answered, text)) if failure.may_pass() => {
                    let age = of_seconds((clock.now() - *answered).as_secs_f64());
                    let words = format!("no answer for {age}: {failure}");
                    let warning = wrapped(&words, "", screen.text_width());
                    // On a terminal the figures stay in sight; elsewhere they stand above.
                    if in_place { warning + text } else { warning }
                }
                _ => return Err(failure),
            },
        };
        write(
            out,
            &if in_place {
                placed(&shown, screen)
            } else {
                shown
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
