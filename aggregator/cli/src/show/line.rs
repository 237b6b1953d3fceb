//! Text in pieces of different colours, and how wide it is.

use super::screen::Screen;

/// What a piece of text means, and so how it is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As everything else.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Worth a look.
    Near,
    /// In danger.
    Bad,
    /// Aside.
    Dim,
    /// A title.
    Title,
}

impl Tone {
    /// The parameters of the escape sequence that switches it on (ECMA-48, SGR).
    const fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Near => Some("33"),
            Self::Bad => Some("31"),
            Self::Dim => Some("2"),
            Self::Title => Some("1"),
        }
    }
}

/// A line, or a cell of one, in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line of one piece.
    pub fn new(tone: Tone, text: impl AsRef<str>) -> Self {
        Self::default().and(tone, text)
    }

    /// The same with a piece more.
    #[must_use]
    pub fn and(mut self, tone: Tone, text: impl AsRef<str>) -> Self {
        self.0.push((tone, printable(text.as_ref())));
        self
    }

    /// Columns it takes: what is shown here is of the ASCII of Kubernetes' names and of blocks, one column each.
    pub fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// As written to this screen, on a line of its own.
    pub fn row(&self, screen: &Screen) -> String {
        self.render(screen) + "\n"
    }

    /// As written to this screen.
    pub fn render(&self, screen: &Screen) -> String {
        let piece = |(tone, text): &(Tone, String)| match tone.code() {
            Some(code) if screen.color && !text.trim().is_empty() => {
                format!("\x1b[{code}m{text}\x1b[0m")
            }
            _ => text.clone(),
        };
        self.0.iter().map(piece).collect()
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::new(Tone::Plain, text)
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::new(Tone::Plain, text)
    }
}

/// `text` without what a terminal would act on, or what would put it in another order: names and reasons come from other machines.
pub fn printable(text: &str) -> String {
    let unseen = |char: char| matches!(char, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let acts = |char: char| char.is_control() || unseen(char);
    let shown = |char: char| if acts(char) { '\u{fffd}' } else { char };
    text.chars().map(shown).collect()
}

/// The same of a text of several lines.
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// Running text in lines of at most `width` columns, each after `indent`.
pub fn wrapped(text: &str, indent: &str, width: usize) -> String {
    let lines = wrapped_after(text, indent, width);
    let lines = lines.iter().map(|line| format!("{indent}{line}\n"));
    lines.collect()
}

/// The same lines without what they stand after.
pub fn wrapped_after(text: &str, indent: &str, width: usize) -> Vec<String> {
    let room = width.saturating_sub(indent.len()).max(20);
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in printable(text).split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_not_shown() {
        let line = Line::from("node\x1b[2J-1\r\n");
        assert_eq!(
            line.render(&Screen::PIPE),
            "node\u{fffd}[2J-1\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn running_text_keeps_to_its_width() {
        let text = "one two three four five six seven";
        let lines = wrapped(text, "  ", 22);
        assert_eq!(lines, "  one two three four\n  five six seven\n");
    }
}
