//! `kubectl nodegrace`: a client of the query API for people and scripts.

pub mod args;
pub mod command;
pub mod failure;
pub mod nodes;
pub mod reach;
pub mod show;
pub mod watch;

use std::io::{ErrorKind, Write};

use anyhow::Context as _;
use nodegrace_clock::Clock;

pub use self::args::Args;
use self::{
    args::{Command, WatchArgs},
    command::{
        Answer, Session, completion, explain, fleet, flips, gaps, node, recommend, services, top,
        what_if,
    },
    failure::Failure,
    nodes::Names,
    reach::{Kubernetes, Queries},
    show::screen::Screen,
};

/// What the program is run with.
pub struct Surroundings<'a> {
    /// What answers are shown on.
    pub screen: &'a Screen,
    /// The clock that --watch goes by.
    pub clock: &'a Clock,
    /// Standard output.
    pub out: &'a mut (dyn Write + Send),
}

/// The answer of a command that asks nobody.
///
/// # Errors
/// When it cannot be made.
pub fn without_aggregator(command: &Command) -> Result<Option<Answer>, Failure> {
    Ok(match command {
        Command::Completion(args) => Some(Answer::of(completion::script(args.shell))),
        Command::Man => Some(Answer::of(completion::manual()?)),
        Command::Complete(args) => {
            let here = std::env::current_dir().unwrap_or_default();
            Some(Answer::of(completion::candidates(args, &here)?))
        }
        _ => None,
    })
}

/// Asks what `args` say, and writes the answer to `out`. Returns what is left to say, and the exit code.
///
/// # Errors
/// Says what failed, and what to do about it.
pub async fn run(
    args: &Args,
    queries: Queries,
    surroundings: Surroundings<'_>,
) -> Result<Answer, Failure> {
    let names = selected(args).await?;
    let mut session = Session {
        queries,
        show: args.show,
        screen: surroundings.screen,
        clock: surroundings.clock,
    };
    let watching = args.command.watch();
    let ask = async || match &args.command {
        Command::Top(args) => {
            top::answer(&mut session, args, names.as_ref(), watching.is_none()).await
        }
        Command::Node(args) => node::answer(&mut session, args).await,
        Command::Gaps(args) => gaps::answer(&mut session, args).await,
        Command::Flips(args) => flips::answer(&mut session, args, names.as_ref()).await,
        Command::Explain(args) => {
            let explain::What::Endpoint(args) = &args.what;
            explain::endpoint(&mut session, args).await
        }
        Command::Services(args) => services::answer(&mut session, *args).await,
        Command::WhatIf(args) => what_if::answer(&mut session, args).await,
        Command::Recommend(args) => recommend::answer(&mut session, args).await,
        Command::Fleet(_) => fleet::answer(&mut session).await,
        Command::Completion(_) | Command::Man | Command::Complete(_) => {
            Ok(Answer::of(String::new()))
        }
    };
    answer(ask, watching, surroundings).await
}

async fn answer(
    mut ask: impl AsyncFnMut() -> Result<Answer, Failure>,
    watching: Option<WatchArgs>,
    surroundings: Surroundings<'_>,
) -> Result<Answer, Failure> {
    let Surroundings { screen, clock, out } = surroundings;
    if let Some(watch) = watching {
        return watch::repeat(ask, watch.interval, screen, clock, out).await;
    }
    let answer = ask().await?;
    write(out, &answer.text)?;
    Ok(answer)
}

/// The nodes with the labels that are asked for: labels are the API server's business, the aggregator knows none.
async fn selected(args: &Args) -> Result<Option<Names>, Failure> {
    let selector = match &args.command {
        Command::Top(top) => &top.selector,
        Command::Flips(flips) => &flips.selector,
        _ => &None,
    };
    let Some(selector) = selector else {
        return Ok(None);
    };
    let kubernetes = Kubernetes::open(&args.reach).await.with_context(|| {
        format!("--selector {selector:?} needs a kubeconfig: labels are known to the API server")
    })?;
    let names = kubernetes
        .nodes(selector, args.reach.request_timeout)
        .await?;
    Ok(Some(names.into_iter().collect()))
}

/// Writes all of it, at once.
///
/// # Errors
/// `Unread` when whoever read it has gone.
pub fn write(out: &mut (dyn Write + Send), text: &str) -> Result<(), Failure> {
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::Unread,
        _ => Failure::Failed(anyhow::Error::new(error).context("cannot write the answer")),
    })
}
