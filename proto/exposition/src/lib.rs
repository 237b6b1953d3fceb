//! What agent and aggregator tell Prometheus in the same way: the text formats, which one a scraper asks for, and the figures of
//! the process itself.

mod accept;
mod number;
mod process;
mod text;

pub use self::{
    accept::accepts,
    process::Figures,
    text::{Exposition, Family, Format, Kind, Labels},
};
