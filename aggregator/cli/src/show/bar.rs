//! The margin bar: how far the gaps of a node reach towards the grace period, and beyond it.

use nodegrace_proto::v1;

use super::{
    figure::as_seconds,
    line::{Line, Tone},
    screen::{Glyphs, Screen},
};

/// Cells of a bar, the line of the grace period among them, and the cell with that line: the rest is for what comes after it.
const USUAL: (usize, usize) = (20, 15);
/// The same where columns are dear.
const NARROW: (usize, usize) = (16, 12);
/// Width of a terminal up to which they are: a list of nodes with short names has room for the bar then.
const DEAR: usize = 100;
/// Share of the grace period above which a gap is worth a look: the default of the aggregator's --near-ratio.
const NEAR: f64 = 0.5;

/// Up to the median the bar is full, up to p99 and the longest it is lighter; the line is the grace period.
struct Marks {
    p50: char,
    p99: char,
    max: char,
    rest: char,
    line: char,
    beyond: char,
}

const UNICODE: Marks = Marks {
    p50: '█',
    p99: '▓',
    max: '░',
    rest: ' ',
    line: '│',
    beyond: '▶',
};
const ASCII: Marks = Marks {
    p50: '#',
    p99: '=',
    max: '-',
    rest: ' ',
    line: '|',
    beyond: '>',
};

/// The bar of a node. A dash where no gap was measured.
pub fn margin_bar(node: &v1::Node, screen: &Screen) -> Line {
    let grace = node.margin.as_ref().and_then(|margin| margin.grace_period);
    let gap = node.gap.unwrap_or_default();
    let (Some(grace), Some(p50), Some(p99), Some(max)) = (grace, gap.p50, gap.p99, gap.max) else {
        return Line::new(Tone::Dim, super::figure::UNKNOWN);
    };
    bar(as_seconds(grace), [p50, p99, max].map(as_seconds), screen)
}

fn bar(grace: f64, [p50, p99, max]: [f64; 3], screen: &Screen) -> Line {
    let marks = match screen.glyphs {
        Glyphs::Unicode => &UNICODE,
        Glyphs::Ascii => &ASCII,
    };
    let narrow = screen.width().is_some_and(|width| width <= DEAR);
    let (cells, grace_cell) = if narrow { NARROW } else { USUAL };
    (0..cells).fold(Line::default(), |line, cell| {
        if cell == grace_cell {
            let passed = max > grace;
            return line.and(if passed { Tone::Bad } else { Tone::Dim }, mark(marks.line));
        }
        // The line takes no time: what comes after it starts at the grace period.
        let place = if cell > grace_cell { cell - 1 } else { cell };
        let from = place as f64 / grace_cell as f64;
        let reaches = |gap: f64| gap / grace > from;
        let glyph = if cell == cells - 1 && max / grace > (cells - 1) as f64 / grace_cell as f64 {
            marks.beyond
        } else if reaches(p50) {
            marks.p50
        } else if reaches(p99) {
            marks.p99
        } else if reaches(max) {
            marks.max
        } else {
            marks.rest
        };
        line.and(tone(from), mark(glyph))
    })
}

fn tone(share: f64) -> Tone {
    match share {
        ..NEAR => Tone::Good,
        ..1.0 => Tone::Near,
        _ => Tone::Bad,
    }
}

fn mark(glyph: char) -> String {
    glyph.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(gaps: [f64; 3]) -> String {
        bar(40.0, gaps, &Screen::PIPE).render(&Screen::PIPE)
    }

    #[test]
    fn the_line_is_the_grace_period() {
        assert_eq!(drawn([10.0, 20.0, 30.0]), "████▓▓▓▓░░░░   │    ");
        assert_eq!(drawn([40.0, 40.0, 40.0]), "███████████████│    ");
        assert_eq!(drawn([24.0, 47.0, 50.0]), "█████████▓▓▓▓▓▓│▓▓▓░");
    }

    #[test]
    fn what_leaves_the_bar_has_an_arrow() {
        assert_eq!(drawn([10.0, 20.0, 300.0]), "████▓▓▓▓░░░░░░░│░░░▶");
    }

    #[test]
    fn terminals_without_blocks_get_a_bar_too() {
        let screen = Screen {
            glyphs: Glyphs::Ascii,
            ..Screen::PIPE
        };
        let line = bar(40.0, [10.0, 20.0, 41.0], &screen);
        assert_eq!(line.render(&screen), "####====-------|-   ");
    }
}
