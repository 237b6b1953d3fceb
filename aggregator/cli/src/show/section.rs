//! Answers about one thing: a title, and figures under their names.

use super::{
    line::{Line, Tone},
    screen::Screen,
};

/// Width of the names.
const NAMES: usize = 10;

/// A title on a line of its own, after an empty one.
pub fn title(text: &str, screen: &Screen) -> String {
    format!("\n{}\n", Line::new(Tone::Title, text).render(screen))
}

/// One figure under its name.
pub fn entry(name: &str, value: &Line, screen: &Screen) -> String {
    format!("{name:NAMES$}  {}\n", value.render(screen))
}
