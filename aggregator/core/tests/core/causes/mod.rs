//! Why a heartbeat was late: each cause alone, and what could be mistaken for it.

mod clocks;
mod doubt;
mod judging;
mod kit;
mod on_the_node;
mod on_the_way;
mod order;
mod pod_view;
mod properties;
mod shared;
mod weak;
mod words;

use nodegrace_core::cause::Figure;

/// Figures that are so for every second after the first `from` ones.
fn from(from: u32, figures: &'static [(Figure, f64)]) -> impl Fn(u32) -> Vec<(Figure, f64)> {
    move |second| {
        if second > from {
            figures.to_vec()
        } else {
            Vec::new()
        }
    }
}
