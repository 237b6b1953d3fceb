//! What the core decides, one file per behaviour.

mod blindness;
mod causes;
mod chains;
mod cluster;
mod delays;
mod doubt;
mod fleets;
mod inference;
mod interval;
mod kit;
mod made_up_trials;
mod properties;
mod recommendation;
mod restart;
mod rule;
mod scale;
mod standing;
mod trials;
mod verdict;
mod what_if;
