//! Tables of figures, and the lines below them that hold them against their goals.

use std::fmt::{self, Display};

use comfy_table::{Cell, CellAlignment, Table as Grid, presets::NOTHING};

use super::machine;

/// A table on its way to standard output.
pub(super) struct Table {
    title: String,
    lines: Grid,
    notes: Vec<String>,
    goals: Vec<Goal>,
}

/// A figure against its goal.
struct Goal {
    what: String,
    figure: String,
    wanted: String,
    met: bool,
    /// What bounds the figure.
    bound: String,
}

impl Table {
    pub(super) fn new<const N: usize>(title: impl Into<String>, columns: [&str; N]) -> Self {
        let mut grid = Grid::new();
        grid.load_style(NOTHING);
        grid.set_header(columns);
        for column in grid.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        Self {
            title: title.into(),
            lines: grid,
            notes: Vec::new(),
            goals: Vec::new(),
        }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.lines.add_row(cells.map(Cell::new));
    }

    /// Says something that figures cannot.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Holds a figure against a goal.
    pub(super) fn goal(
        &mut self,
        what: &str,
        figure: impl Display,
        goal: impl Display,
        met: bool,
        bound: impl Into<String>,
    ) {
        self.goals.push(Goal {
            what: what.to_owned(),
            figure: figure.to_string(),
            wanted: goal.to_string(),
            met,
            bound: bound.into(),
        });
    }

    /// Prints it.
    pub(super) fn print(&self) {
        println!("{self}");
    }
}

impl Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n## {}\n", self.title)?;
        let (machine, load) = (machine::describe(), machine::load());
        writeln!(formatter, "{machine}; load average {load:.1}\n")?;
        writeln!(
            formatter,
            "{}",
            self.lines
                .to_string()
                .lines()
                .map(str::trim_end)
                .collect::<Vec<_>>()
                .join("\n")
        )?;
        for note in &self.notes {
            writeln!(formatter, "\n{note}")?;
        }
        writeln!(formatter)?;
        for goal in &self.goals {
            let Goal {
                what,
                figure,
                wanted,
                met,
                bound,
            } = goal;
            let verdict = if *met { "met" } else { "MISSED" };
            writeln!(
                formatter,
                "{what}: {figure}, goal {wanted}: {verdict}. {bound}"
            )?;
        }
        Ok(())
    }
}
