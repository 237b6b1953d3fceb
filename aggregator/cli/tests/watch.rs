//! `--watch`: one answer after the other.

use std::{
    io::{self, Write},
    time::UNIX_EPOCH,
};

use kubectl_nodegrace::{
    Surroundings,
    failure::Failure,
    reach::{Bearer, queries},
    run,
    show::screen::Screen,
};
use nodegrace_clock::Clock;
use tonic::Status;

use crate::kit::{Fixed, args, terminal};

/// Takes so many writes, then has gone, as `head` does.
struct Reader {
    text: String,
    writes: usize,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.writes == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.writes -= 1;
        self.text += &String::from_utf8_lossy(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What three answers of `top --watch` look like, and how long they took.
async fn watched(screen: &Screen, fixed: &Fixed) -> (String, u64) {
    let (text, took, failure) = ended(screen, fixed).await;
    assert!(matches!(failure, Failure::Unread) && failure.code() == 0);
    (text, took)
}

/// The same however it ends, which it does by itself for the fourth.
async fn ended(screen: &Screen, fixed: &Fixed) -> (String, u64, Failure) {
    let clock = Clock::scaled(1.0, UNIX_EPOCH);
    let start = clock.now();
    let mut reader = Reader {
        text: String::new(),
        writes: 3,
    };
    let surroundings = Surroundings {
        screen,
        clock: &clock,
        out: &mut reader,
    };
    let args = args(&["top", "--watch", "--interval", "10s"]);
    let queries = queries(fixed.channel(), Bearer::default());
    let outcome = run(&args, queries, surroundings).await;
    let failure = outcome.expect_err("it goes on until nobody reads");
    (reader.text, (clock.now() - start).as_secs(), failure)
}

/// An aggregator that fails so at the second question.
fn failing(status: Status) -> Fixed {
    Fixed {
        refusals: vec![(1, status)],
        ..Fixed::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_may_pass_is_shown_and_the_question_asked_again() {
    let restarting = || failing(Status::unavailable("it restarts"));
    let (text, took) = watched(&Screen::PIPE, &restarting()).await;
    assert_eq!(took, 30);
    let (before, after) = text.split_once("no answer for 10.0s: ").expect("a failure");
    assert!(after.contains("it restarts"), "{text}");
    assert_eq!(
        [before, after].map(|part| part.matches("NODE ").count()),
        [1, 1]
    );

    // On a terminal the last answer stays in sight below it.
    let (text, _) = watched(&terminal(80), &restarting()).await;
    let screens: Vec<&str> = text.split("\x1b[J").collect();
    assert!(screens[1].contains("no answer for 10.0s: "), "{text:?}");
    assert!(screens[1].contains("worker-3"), "{text:?}");
    assert!(!screens[2].contains("no answer"), "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_stays_ends_it() {
    for status in [
        Status::permission_denied("you may not"),
        Status::unauthenticated("who are you"),
        Status::invalid_argument("filter: position 3: what is that"),
    ] {
        let (text, _, failure) = ended(&Screen::PIPE, &failing(status.clone())).await;
        assert!(failure.to_string().contains(status.message()), "{failure}");
        assert_eq!(text.matches("NODE ").count(), 1, "{text}");
    }
    let never = Fixed::refusing(Status::unavailable("nobody is there"));
    let (text, _, failure) = ended(&Screen::PIPE, &never).await;
    assert_eq!((text.as_str(), failure.code()), ("", 1), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn answers_follow_each_other_where_there_is_no_terminal() {
    let fixed = Fixed::default();
    let (text, took) = watched(&Screen::PIPE, &fixed).await;
    assert_eq!(text.matches("NODE ").count(), 3, "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    assert_eq!(took, 30);
}

#[tokio::test(start_paused = true)]
async fn on_a_terminal_each_answer_takes_the_place_of_the_one_before() {
    let (text, _) = watched(&terminal(80), &Fixed::default()).await;
    assert_eq!(text.matches("\x1b[H").count(), 3, "{text:?}");
    assert_eq!(text.matches("\x1b[J").count(), 3, "{text:?}");
}

#[tokio::test(start_paused = true)]
async fn a_terminal_shows_as_many_nodes_as_it_has_rows() {
    let mut fixed = Fixed::default();
    let node = fixed.nodes[0].clone();
    fixed.nodes = vec![node; 100];
    let (text, _) = watched(&terminal(80), &fixed).await;
    let first = text.split("\x1b[J").next().unwrap_or_default();
    assert!(first.lines().count() <= 24, "{first}");
    assert!(first.contains("... 79 more nodes"), "{first}");
}
