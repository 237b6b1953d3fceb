//! Answers about one thing: a title, and figures under their names.

use super::{
    line::{Line, Tone, wrapped},
    screen::Screen,
};

/// Width of the names.
const NAMES: usize = 10;

/// A title on a line of its own, after an empty one.
pub fn title(text: &str, screen: &Screen) -> String {
    format!("\n{}\n", Line::new(Tone::Title, text).render(screen))
}

/// Figures beside their names, however long these are.
pub fn entries(entries: &[(&str, String)], screen: &Screen) -> String {
    let width = entries.iter().map(|(name, _)| name.len()).max();
    let width = width.unwrap_or_default();
    let shown = |(name, value): &(&str, String)| {
        let value = Line::from(value.as_str()).render(screen);
        format!("{name:width$}  {value}\n")
    };
    entries.iter().map(shown).collect()
}

/// One figure beside its name.
pub fn entry(name: &str, value: &Line, screen: &Screen) -> String {
    format!("{name:NAMES$}  {}", value.row(screen))
}

/// A few words beside their name, in as many lines as they take.
pub fn words(name: &str, text: &str, screen: &Screen) -> String {
    let indent = " ".repeat(NAMES + 2);
    let lines = wrapped(text, &indent, screen.text_width());
    format!("{name:NAMES$}  {}", lines.trim_start())
}
