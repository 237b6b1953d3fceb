//! Tables as kubectl has them: titles in capitals, columns three spaces apart, no lines. On a terminal that is too narrow the
//! columns that can be done without go first; into a pipe goes everything.

use super::{
    line::{Line, Tone},
    screen::Screen,
};

/// Spaces between two columns, as kubectl has them; fewer where a terminal is too narrow.
const APART: [usize; 2] = [3, 2];

/// One column of a table of `T`s.
pub struct Column<T> {
    /// Its title, in one word, so that every row has as many words as the table has columns.
    pub title: &'static str,
    /// Where its cells stand.
    pub align: Align,
    /// When it is shown.
    pub shown: Shown,
    /// The cell of a row.
    pub cell: fn(&T, &Screen) -> Line,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Figures, so that they compare at a glance.
    Right,
}

/// When a column is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Always.
    Always,
    /// While there is room: those with the lowest number go first.
    WithRoom(u8),
    /// With `-o wide`, whatever the room.
    Wide,
}

impl<T> Column<T> {
    /// A column of texts that is always shown.
    pub const fn text(title: &'static str, cell: fn(&T, &Screen) -> Line) -> Self {
        Self {
            title,
            align: Align::Left,
            shown: Shown::Always,
            cell,
        }
    }

    /// A column of figures that is always shown.
    pub const fn figure(title: &'static str, cell: fn(&T, &Screen) -> Line) -> Self {
        Self {
            align: Align::Right,
            ..Self::text(title, cell)
        }
    }

    /// The same, shown at other times.
    #[must_use]
    pub const fn shown(self, shown: Shown) -> Self {
        Self { shown, ..self }
    }
}

/// How a table is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// With every column.
    pub wide: bool,
    /// With the titles.
    pub titles: bool,
}

/// The rows as a table. Without rows it is empty: there are no titles of nothing.
pub fn table<T>(columns: &[Column<T>], rows: &[T], form: Form, screen: &Screen) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut columns: Vec<Laid> = columns
        .iter()
        .filter(|column| form.wide || column.shown != Shown::Wide)
        .map(|column| Laid::new(column, rows, form, screen))
        .collect();
    let apart = fit(&mut columns, form, screen);
    let lines = usize::from(form.titles) + rows.len();
    (0..lines)
        .map(|line| {
            let last = columns.len() - 1;
            let cells = columns.iter().enumerate().map(|(index, column)| {
                let gap = if index == last { 0 } else { apart };
                column.padded(line, index == last, screen) + &" ".repeat(gap)
            });
            cells.collect::<String>().trim_end().to_owned() + "\n"
        })
        .collect()
}

/// Takes away columns until the rest fits, and says how far apart they are.
fn fit(columns: &mut Vec<Laid>, form: Form, screen: &Screen) -> usize {
    let Some(room) = screen.width().filter(|_| !form.wide) else {
        return APART[0];
    };
    loop {
        let cells: usize = columns.iter().map(|column| column.width).sum();
        let fitting = APART
            .into_iter()
            .find(|apart| cells + apart * (columns.len() - 1) <= room);
        if let Some(apart) = fitting {
            return apart;
        }
        let least = columns
            .iter()
            .enumerate()
            .filter_map(|(index, column)| match column.shown {
                Shown::WithRoom(worth) => Some((worth, index)),
                _ => None,
            })
            .min();
        match least {
            Some((_, index)) => drop(columns.remove(index)),
            None => return APART[1],
        }
    }
}

/// A column with its cells.
struct Laid {
    cells: Vec<Line>,
    width: usize,
    align: Align,
    shown: Shown,
}

impl Laid {
    fn new<T>(column: &Column<T>, rows: &[T], form: Form, screen: &Screen) -> Self {
        let title = form.titles.then(|| Line::new(Tone::Title, column.title));
        let cells = rows.iter().map(|row| (column.cell)(row, screen));
        let cells: Vec<Line> = title.into_iter().chain(cells).collect();
        Self {
            width: cells.iter().map(Line::width).max().unwrap_or_default(),
            cells,
            align: column.align,
            shown: column.shown,
        }
    }

    fn padded(&self, line: usize, last: bool, screen: &Screen) -> String {
        let cell = &self.cells[line];
        let (text, pad) = (cell.render(screen), self.width - cell.width());
        match self.align {
            Align::Right => " ".repeat(pad) + &text,
            Align::Left if last => text,
            Align::Left => text + &" ".repeat(pad),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::screen::Glyphs;

    const COLUMNS: [Column<(&str, u32)>; 3] = [
        Column::text("NAME", |(name, _), _| (*name).into()),
        Column::figure("COUNT", |(_, count): &(&str, u32), _| {
            count.to_string().into()
        })
        .shown(Shown::WithRoom(1)),
        Column::text("TWICE", |(_, count): &(&str, u32), _| {
            (count * 2).to_string().into()
        })
        .shown(Shown::Wide),
    ];
    const FORM: Form = Form {
        wide: false,
        titles: true,
    };

    fn shown(form: Form, width: Option<usize>) -> String {
        let screen = Screen {
            size: width.map(|width| (width, 24)),
            color: false,
            glyphs: Glyphs::Unicode,
        };
        table(&COLUMNS, &[("a", 7), ("longer", 70)], form, &screen)
    }

    #[test]
    fn figures_stand_right_and_texts_left() {
        let wanted = "NAME     COUNT\na            7\nlonger      70\n";
        assert_eq!(shown(FORM, None), wanted);
    }

    #[test]
    fn wide_shows_every_column_whatever_the_room() {
        let form = Form { wide: true, ..FORM };
        let wanted = "NAME     COUNT   TWICE\na            7   14\nlonger      70   140\n";
        assert_eq!(shown(form, Some(10)), wanted);
    }

    #[test]
    fn where_room_is_short_columns_first_move_together_and_then_go() {
        assert_eq!(
            shown(FORM, Some(13)),
            "NAME    COUNT\na           7\nlonger     70\n"
        );
        assert_eq!(shown(FORM, Some(12)), "NAME\na\nlonger\n");
    }

    #[test]
    fn there_are_no_titles_of_nothing() {
        assert_eq!(table(&COLUMNS, &[], FORM, &Screen::PIPE), "");
    }
}
