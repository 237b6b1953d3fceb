//! What the core decides, one file per behaviour.

mod chains;
mod kit;
mod trials;
mod verdict;
