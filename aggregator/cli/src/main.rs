//! The process: parse, connect, ask, answer.

use std::{io, process::ExitCode};

use clap::Parser as _;
use kubectl_nodegrace::{
    Args, Surroundings,
    command::Answer,
    failure::Failure,
    reach::reach,
    run,
    show::{line::printable_lines, screen::Screen},
    watch::Alternate,
    without_aggregator, write,
};
use nodegrace_clock::Clock;
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() {
                Failure::BAD_ARGUMENTS
            } else {
                0
            };
            // A terminal that is gone needs no words.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match answer(&args) {
        Ok(Answer { remark, code, .. }) => {
            if let Some(remark) = remark {
                eprintln!("{}", printable_lines(&remark));
            }
            ExitCode::from(code)
        }
        Err(failure) => {
            if !matches!(failure, Failure::Unread | Failure::Interrupted) {
                eprintln!("error: {}", printable_lines(&failure.to_string()));
            }
            ExitCode::from(failure.code())
        }
    }
}

fn answer(args: &Args) -> Result<Answer, Failure> {
    if let Some(answer) = without_aggregator(&args.command)? {
        write(&mut io::stdout(), &answer.text)?;
        return Ok(answer);
    }
    let runtime = Runtime::new().map_err(|error| Failure::Failed(error.into()))?;
    let answer = runtime.block_on(async {
        tokio::select! {
            answer = ask(args) => answer,
            // The end of a --watch, or of somebody's patience.
            _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
        }
    });
    // A name that is still being looked up has nobody left to wait for it.
    runtime.shutdown_background();
    answer
}

async fn ask(args: &Args) -> Result<Answer, Failure> {
    let queries = reach(&args.reach).await?;
    let screen = Screen::stdout(args.show.color);
    let mut out = io::stdout();
    let in_place = args.command.watch().is_some() && screen.size.is_some();
    let _alternate = in_place.then(|| Alternate::enter(&mut out)).transpose()?;
    let surroundings = Surroundings {
        screen: &screen,
        clock: &Clock::real(),
        out: &mut out,
    };
    run(args, queries, surroundings).await
}
