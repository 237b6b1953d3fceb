//! What people see: every table on a pipe, and on terminals that are narrow, coloured or poor.

use kubectl_nodegrace::show::screen::{Glyphs, Screen};

use crate::kit::{Fixed, answer, assert_golden, output, terminal};

#[tokio::test]
async fn every_command_has_its_table() {
    for (file, words) in [
        ("top.txt", &["top"][..]),
        ("top-wide.txt", &["top", "-o", "wide"]),
        ("top-name.txt", &["top", "-o", "name"]),
        ("node.txt", &["node", "worker-3"]),
        ("node-unknown.txt", &["node", "worker-2"]),
        ("gaps.txt", &["gaps"]),
        ("gaps-wide.txt", &["gaps", "-o", "wide"]),
        ("gaps-flipped.txt", &["gaps", "--flipped", "--no-headers"]),
        ("flips.txt", &["flips"]),
        ("flips-wide.txt", &["flips", "-o", "wide"]),
        ("flips-name.txt", &["flips", "-o", "name"]),
        ("explain.txt", &["explain", "endpoint", "shop/cart"]),
        ("services.txt", &["services"]),
        ("what-if.txt", &["what-if"]),
        ("what-if-wide.txt", &["what-if", "-o", "wide"]),
        ("recommend.txt", &["recommend"]),
        ("fleet.txt", &["fleet"]),
    ] {
        assert_golden(file, &output(words, &Screen::PIPE).await);
    }
}

#[tokio::test]
async fn narrow_terminals_get_what_fits() {
    for columns in [60, 80, 140] {
        let screen = terminal(columns);
        let mut shown = String::new();
        for words in [
            &["top"][..],
            &["gaps"],
            &["what-if"],
            &["node", "worker-3"],
            &["flips"],
            &["services"],
            &["explain", "endpoint", "shop/cart"],
        ] {
            shown += &output(words, &screen).await;
        }
        let longest = shown.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(columns), "{longest:?}\n{shown}");
        assert_golden(&format!("terminal-{columns}.txt"), &shown);
    }
}

#[tokio::test]
async fn colours_and_plain_letters_are_as_the_terminal_has_them() {
    let colored = Screen {
        color: true,
        ..terminal(140)
    };
    assert_golden("top-colored.txt", &output(&["top"], &colored).await);
    let plain = Screen {
        glyphs: Glyphs::Ascii,
        ..terminal(140)
    };
    let shown = output(&["top"], &plain).await + &output(&["node", "worker-3"], &plain).await;
    assert!(shown.is_ascii(), "{shown}");
}

/// What nobody measured is no zero.
#[tokio::test]
async fn what_is_not_known_is_a_dash() {
    let top = output(&["top", "--no-headers"], &Screen::PIPE).await;
    let row = top.lines().find(|row| row.starts_with("worker-2"));
    let cells: Vec<&str> = row.expect("a row").split_whitespace().collect();
    assert_eq!(cells[..2], ["worker-2", "LEARNING"]);
    assert!(cells[2..].iter().all(|cell| *cell == "-"), "{cells:?}");
    let what_if = output(&["what-if", "--no-headers"], &Screen::PIPE).await;
    let row = what_if
        .lines()
        .find(|row| row.trim_start().starts_with("300s"));
    assert_eq!(
        row.map(|row| row.matches(" - ").count()),
        Some(5),
        "{what_if}"
    );
}

/// A node's name and its words come from other machines.
#[tokio::test]
async fn a_terminal_is_told_nothing_by_a_node() {
    let mut fixed = Fixed::default();
    fixed.nodes[0].name = "worker\x1b]0;owned\x07".to_owned();
    fixed.nodes[0].state_reason = "\x1b[2J".to_owned();
    for words in [
        &["top"][..],
        &["top", "-o", "name"],
        &["node", "worker\x1b]0;owned\x07"],
    ] {
        let (text, _) = answer(words, &Screen::PIPE, fixed.clone()).await;
        assert!(!text.contains(['\x1b', '\x07']), "{text:?}");
    }
}

#[tokio::test]
async fn a_fleet_without_nodes_says_so_beside_the_table() {
    let mut fixed = Fixed::default();
    fixed.nodes.clear();
    let (text, outcome) = answer(&["top"], &Screen::PIPE, fixed).await;
    let remark = outcome.expect("an answer").remark;
    assert_eq!(
        (text.as_str(), remark.as_deref()),
        ("", Some("no node has reported yet"))
    );
}
