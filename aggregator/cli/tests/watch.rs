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
    assert!(matches!(failure, Failure::Unread) && failure.code() == 0);
    (reader.text, (clock.now() - start).as_secs())
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
