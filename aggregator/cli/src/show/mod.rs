//! How answers look: one vocabulary of figures, glyphs and tables, shared by every command.

pub mod bar;
pub mod chart;
pub mod document;
pub mod figure;
pub mod line;
pub mod screen;
pub mod section;
pub mod table;
