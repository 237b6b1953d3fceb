//! The agent's own metrics, for those who have a Prometheus and no aggregator, or want to hold one against the other. Off unless
//! asked for.
//!
//! The watches and the journal write into a [`Tally`] as they go; a scrape makes families of it and writes them in the format that
//! the scraper asks for.

mod families;
mod family;
mod format;
mod histogram;
mod protobuf;
mod server;
mod tally;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::{
    server::{Scrape, Server},
    tally::Tally,
};
