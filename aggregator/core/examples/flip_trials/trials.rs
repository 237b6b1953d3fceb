//! Reads the trials: a header that names the columns, and one gap a row.

use std::time::Duration;

use nodegrace_core::calibration::Trial;

/// The columns that are read.
const COLUMNS: [&str; 4] = ["gap_s", "t_last_beat", "flipped", "flip_after_s"];
/// Latest time and longest duration, in seconds: the year 2286 in Unix time. More is milliseconds, or a mistake.
const LATEST: f64 = 1e10;
/// How much later than the gap's end its flip may have been seen: by then the node has posted its next heartbeat.
const SEEN_LATE: Duration = Duration::from_secs(10);

/// Reads a file's text; an error names line and column.
pub(crate) fn parse(text: &str) -> Result<Vec<Trial>, String> {
    // Spreadsheets begin a file with a byte order mark.
    let mut lines = text
        .trim_start_matches('\u{feff}')
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    let (header, _) = lines.next().ok_or("it is empty")?;
    let names: Vec<&str> = header.split(',').map(str::trim).collect();
    let mut positions = [0; COLUMNS.len()];
    for (position, column) in positions.iter_mut().zip(COLUMNS) {
        *position = names
            .iter()
            .position(|name| *name == column)
            .ok_or_else(|| format!("line 1 names no column {column}"))?;
    }
    lines
        .map(|(line, number)| {
            row(line, names.len(), positions).map_err(|error| format!("line {number}: {error}"))
        })
        .collect()
}

fn row(line: &str, columns: usize, positions: [usize; 4]) -> Result<Trial, String> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    if fields.len() != columns {
        return Err(format!(
            "{} fields where line 1 names {columns}",
            fields.len()
        ));
    }
    let [gap, start, flipped, after] = positions.map(|position| fields[position]);
    let flipped_after = match (flipped, after) {
        ("0", "") => None,
        ("1", after) => Some(seconds("flip_after_s", after)?),
        ("0", after) => return Err(format!("flip_after_s is \"{after}\" without a flip")),
        (other, _) => return Err(format!("flipped is \"{other}\", not 0 or 1")),
    };
    let gap = seconds("gap_s", gap)?;
    if flipped_after.is_some_and(|after| after > gap + SEEN_LATE) {
        return Err(format!("flip_after_s is \"{after}\", long after the gap"));
    }
    Ok(Trial {
        start: seconds("t_last_beat", start)?,
        gap,
        flipped_after,
    })
}

fn seconds(column: &str, text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|number| *number <= LATEST)
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .ok_or_else(|| format!("{column} is \"{text}\", not a number of seconds up to {LATEST:e}"))
}
