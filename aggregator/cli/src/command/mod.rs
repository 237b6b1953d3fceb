//! What can be asked: a file for each command, which makes the text of its answer.

mod cluster_watch;
pub mod completion;
pub mod explain;
pub mod fleet;
pub mod flips;
pub mod gaps;
pub mod node;
pub mod recommend;
pub mod services;
pub mod top;
pub mod what_if;

use std::collections::HashSet;

use nodegrace_clock::Clock;
use nodegrace_proto::v1;

use crate::{
    args::{Output, ShowArgs},
    failure::{Failure, refused},
    reach::Queries,
    show::{line::Line, screen::Screen},
};

/// What a command needs to answer.
pub struct Session<'a> {
    /// The aggregator.
    pub queries: Queries,
    /// How the answer is wanted.
    pub show: ShowArgs,
    /// What it is shown on.
    pub screen: &'a Screen,
    /// The time of day.
    pub clock: &'a Clock,
}

/// An answer, and what it means to a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What is written to standard output.
    pub text: String,
    /// What is said beside it, to standard error.
    pub remark: Option<String>,
    /// The exit code.
    pub code: u8,
}

impl Answer {
    /// An answer that is no verdict.
    pub fn of(text: String) -> Self {
        Self {
            text,
            remark: None,
            code: 0,
        }
    }

    /// The same with something to say beside it.
    #[must_use]
    pub fn with_remark(self, remark: Option<String>) -> Self {
        Self { remark, ..self }
    }
}

/// Most that the API gives at once.
const PAGE: i32 = 1000;

/// The fleet's totals.
async fn fleet(queries: &mut Queries) -> Result<v1::Fleet, Failure> {
    let answer = queries.get_fleet(v1::GetFleetRequest {}).await;
    let answer = answer.map_err(|status| refused("GetFleet", &status))?;
    Ok(answer.into_inner())
}

/// Refuses -o name for answers that are not about nodes.
fn not_by_name(show: ShowArgs) -> Result<(), Failure> {
    if show.output == Output::Name {
        let problem = "-o name is for nodes: `top`, `node`, `flips` and `explain` have it";
        return Err(Failure::Usage(problem.to_owned()));
    }
    Ok(())
}

/// What people should know before they trust a figure: that the grace period it rests on is in doubt.
fn doubt(controller: Option<&v1::ControllerSettings>) -> Option<String> {
    let warning = &controller?.warning;
    (!warning.is_empty()).then(|| format!("warning: {warning}"))
}

/// What is said of a list that ends at its limit.
fn cut(what: &str, limit: usize) -> String {
    format!("only the first {limit} {what} are shown: --limit shows more")
}

/// Remarks below each other. Absent: there is none.
fn remarks<const MOST: usize>(remarks: [Option<String>; MOST]) -> Option<String> {
    let remarks: Vec<String> = remarks.into_iter().flatten().collect();
    (!remarks.is_empty()).then(|| remarks.join("\n"))
}

/// Names of nodes as kubectl writes and reads them, each once.
fn node_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut told = HashSet::new();
    names
        .filter(|name| told.insert(*name))
        .map(|name| Line::from(format!("node/{name}")).row(&Screen::PIPE))
        .collect()
}
