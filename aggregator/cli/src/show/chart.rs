//! The history of a node: its long gaps over time as columns, held against the line of the grace period.

use std::fmt::Write as _;

use nodegrace_proto::{prost_types::Timestamp, v1};

use super::{
    figure::{self, as_seconds},
    line::{Line, Tone},
    screen::{Glyphs, Screen},
};

/// Rows of the chart: with eighths of a block, 48 steps.
const ROWS: usize = 6;
/// Columns of the chart at most: as wide as text is.
const COLUMNS: usize = 84;
/// Room above what is highest.
const HEADROOM: f64 = 1.08;
/// Width of the labels at the left.
const LABEL: usize = 11;

const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The longest gap of each of `columns` spans of time, in seconds; none where no gap was kept.
struct Spans {
    longest: Vec<Option<f64>>,
    from: Timestamp,
    to: Timestamp,
}

/// The chart of these gaps until `until`, under a grace period. Empty without gaps.
pub fn history(
    gaps: &[v1::Gap],
    grace: Option<f64>,
    until: Option<Timestamp>,
    screen: &Screen,
) -> String {
    let columns = (screen.text_width() - LABEL - 4).min(COLUMNS);
    let Some(spans) = spans(gaps, until, columns) else {
        return String::new();
    };
    let longest = spans.longest.iter().flatten().copied().fold(0.0, f64::max);
    let top = longest.max(grace.unwrap_or_default()) * HEADROOM;
    let row_of = |value: f64| (value / top * ROWS as f64).floor() as usize;
    let grace_row = grace.map(row_of);
    let mut text = String::new();
    for row in (0..ROWS).rev() {
        let label = if grace_row == Some(row) {
            format!("grace {}s", grace.unwrap_or_default())
        } else if row_of(longest) == row {
            format!("{longest:.1}s")
        } else if row == 0 {
            "0s".to_owned()
        } else {
            String::new()
        };
        let mut line = Line::new(Tone::Dim, format!("{label:>LABEL$} "));
        for value in &spans.longest {
            let (glyph, tone) = cell(*value, row, top, grace, grace_row == Some(row), screen);
            line = line.and(tone, glyph.to_string());
        }
        let _ = writeln!(text, "{}", line.render(screen).trim_end());
    }
    let (from, to) = (
        figure::moment(Some(spans.from)),
        figure::moment(Some(spans.to)),
    );
    let width = columns - from.len();
    let axis = format!("{:LABEL$} {from}{to:>width$}", "");
    let _ = writeln!(text, "{}", Line::new(Tone::Dim, axis).render(screen));
    text
}

/// What stands in one cell.
fn cell(
    value: Option<f64>,
    row: usize,
    top: f64,
    grace: Option<f64>,
    on_line: bool,
    screen: &Screen,
) -> (char, Tone) {
    let filled = value.map_or(0.0, |value| value / top * ROWS as f64 - row as f64);
    let eighths = (filled.clamp(0.0, 1.0) * 8.0).round() as usize;
    // A gap is never nothing.
    let eighths = if row == 0 && value.is_some() {
        eighths.max(1)
    } else {
        eighths
    };
    let beyond = value.zip(grace).is_some_and(|(value, grace)| value > grace);
    let tone = if beyond { Tone::Bad } else { Tone::Plain };
    match (eighths, screen.glyphs) {
        (0, Glyphs::Unicode) if on_line => ('┄', Tone::Near),
        (0, Glyphs::Ascii) if on_line => ('-', Tone::Near),
        (_, Glyphs::Unicode) => (EIGHTHS[eighths], tone),
        (0, Glyphs::Ascii) => (' ', tone),
        (..4, Glyphs::Ascii) => ('.', tone),
        (_, Glyphs::Ascii) => ('#', tone),
    }
}

fn spans(gaps: &[v1::Gap], until: Option<Timestamp>, columns: usize) -> Option<Spans> {
    let ends = || gaps.iter().filter_map(|gap| gap.end_time);
    let starts = gaps.iter().filter_map(|gap| gap.start_time);
    let from = starts.min_by_key(nanoseconds)?;
    let to = ends().chain(until).max_by_key(nanoseconds)?;
    let length = (nanoseconds(&to) - nanoseconds(&from)).max(1);
    let mut longest = vec![None; columns];
    for gap in gaps {
        let (Some(end), Some(duration)) = (gap.end_time, gap.duration) else {
            continue;
        };
        let place = (nanoseconds(&end) - nanoseconds(&from)) * columns as i128 / length;
        let place = usize::try_from(place).unwrap_or_default().min(columns - 1);
        let seconds = as_seconds(duration);
        longest[place] = Some(longest[place].map_or(seconds, |so_far: f64| so_far.max(seconds)));
    }
    Some(Spans { longest, from, to })
}

fn nanoseconds(time: &Timestamp) -> i128 {
    i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos)
}

#[cfg(test)]
mod tests {
    use nodegrace_proto::prost_types::Duration;

    use super::*;

    fn gap(end: i64, seconds: i64) -> v1::Gap {
        let time = |seconds| Some(Timestamp { seconds, nanos: 0 });
        v1::Gap {
            duration: Some(Duration { seconds, nanos: 0 }),
            start_time: time(end - seconds),
            end_time: time(end),
            ..v1::Gap::default()
        }
    }

    #[test]
    fn a_column_shows_the_longest_gap_that_ended_in_its_time() {
        let gaps = [gap(100, 100), gap(150, 30), gap(160, 20), gap(200, 40)];
        let spans = spans(&gaps, None, 4).expect("there are gaps");
        assert_eq!(spans.longest, [None, None, Some(100.0), Some(40.0)]);
    }

    #[test]
    fn nothing_is_drawn_of_no_gaps() {
        assert_eq!(history(&[], Some(40.0), None, &Screen::PIPE), "");
    }
}
