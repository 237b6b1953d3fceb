//! Who is believed, and what everybody else may try.
//!
//! Each attack is refused, and meanwhile a good agent reports and a good reader asks: [`siege::Siege`] counts that no record of the
//! one and no answer of the other is missing. README.md lists the attacks with their tests.

mod acquaintance;
mod connections;
mod paths;
mod siege;
mod streams;
