//! What the answers are shown on: a terminal of some size, or a pipe.

use std::{env, io};

use rustix::termios;

/// What the answers are shown on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns and rows of the terminal. Absent: it is none, and nothing is cut to fit.
    pub size: Option<(usize, usize)>,
    /// Whether colours are used.
    pub color: bool,
    /// The characters that bars and charts are made of.
    pub glyphs: Glyphs,
}

/// The characters that bars and charts are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Blocks and lines.
    Unicode,
    /// What every terminal has.
    Ascii,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal that is not told otherwise by `NO_COLOR` or `TERM=dumb`.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Width of running text where nothing limits it: longer lines are hard to read.
const TEXT_WIDTH: usize = 100;

impl Screen {
    /// No terminal: nothing is cut, nothing is coloured.
    pub const PIPE: Self = Self {
        size: None,
        color: false,
        glyphs: Glyphs::Unicode,
    };

    /// Standard output as it is.
    pub fn stdout(color: Color) -> Self {
        let size = termios::tcgetwinsize(io::stdout())
            .ok()
            .filter(|size| size.ws_col > 0 && size.ws_row > 0)
            .map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        let terminal = termios::isatty(io::stdout());
        let variable = |name| env::var(name).unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(variable);
        Self {
            size,
            color: match color {
                Color::Always => true,
                Color::Never => false,
                // https://no-color.org: set, and not empty.
                Color::Auto => {
                    terminal && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
                }
            },
            glyphs: Glyphs::of_locale(&locale),
        }
    }

    /// Columns there are, for a layout that can do with less.
    pub fn width(&self) -> Option<usize> {
        self.size.map(|(columns, _)| columns)
    }

    /// Width of running text.
    pub fn text_width(&self) -> usize {
        self.width().unwrap_or(TEXT_WIDTH).clamp(40, TEXT_WIDTH)
    }
}

impl Glyphs {
    /// What the first of these variables that says anything stands for; blocks where none does, as in most containers.
    fn of_locale(variables: &[String]) -> Self {
        let said = variables.iter().find(|value| !value.is_empty());
        let plain = said.is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            !value.contains("utf-8") && !value.contains("utf8")
        });
        if plain { Self::Ascii } else { Self::Unicode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_of_the_locale_decides_what_can_be_drawn() {
        let glyphs = |variables: [&str; 3]| Glyphs::of_locale(&variables.map(str::to_owned));
        assert_eq!(glyphs(["", "", ""]), Glyphs::Unicode);
        assert_eq!(glyphs(["C", "", "en_US.UTF-8"]), Glyphs::Ascii);
        assert_eq!(glyphs(["", "", "de_DE.utf8"]), Glyphs::Unicode);
        assert_eq!(glyphs(["", "POSIX", ""]), Glyphs::Ascii);
    }
}
