//! The program as a process: exit codes, colours, and who is shown a token.

use std::{
    net::SocketAddr,
    process::{Command, Output, Stdio},
};

use crate::kit::Fixed;

/// Runs the program to its end, with no environment but these variables.
async fn run(words: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nodegrace"));
    command
        .args(words)
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || command.output()).await;
    ended.expect("no panic").expect("the program starts")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn what_is_asked_at_an_address_is_answered() {
    let address = Fixed::default().serve().await.to_string();
    let output = run(&["top", "-o", "name", "--address", &address], &[]).await;
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert_eq!(
        output.stdout,
        b"node/worker-3\nnode/worker-1\nnode/worker-2\n"
    );
    let output = run(&["top", "-o", "name"], &[("NODEGRACE_ADDRESS", &address)]).await;
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    let output = run(&["recommend", "--check", "--address", &address], &[]).await;
    assert_eq!(code(&output), Some(3), "{}", stderr(&output));
}

#[tokio::test]
async fn a_pipe_has_no_colours_unless_told_so() {
    let address = Fixed::default().serve().await.to_string();
    let words = ["top", "--address", &address];
    let colored = |output: &Output| output.stdout.contains(&b'\x1b');
    assert!(!colored(&run(&words, &[]).await));
    let always = [&words[..], &["--color", "always"]].concat();
    assert!(colored(&run(&always, &[]).await));
    // A word on the command line is meant; the variable is a habit.
    assert!(colored(&run(&always, &[("NO_COLOR", "1")]).await));
}

#[tokio::test]
async fn a_command_line_without_sense_ends_with_64() {
    for words in [
        &["bottom"][..],
        &[],
        &["node"],
        &["top", "-o", "xml"],
        &["top", "--limit", "0"],
        &["top", "--interval", "1ms"],
        &["gaps", "--limit", "0"],
        &["gaps", "--min", "18446744073709551615s"],
        &["flips", "--kind", "bored"],
        &["flips", "--since", "yesterday"],
        &["explain"],
        &["explain", "endpoint", "without-a-namespace"],
        &["what-if", "soon"],
        &["top", "--token", "a", "--token-file", "b"],
    ] {
        let output = run(words, &[]).await;
        assert_eq!(code(&output), Some(64), "{words:?}: {}", stderr(&output));
        assert!(
            !output.stderr.is_empty() && output.stdout.is_empty(),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn who_cannot_be_reached_is_named_with_both_ways() {
    let output = run(&["top"], &[("KUBECONFIG", "/nowhere/config")]).await;
    let said = stderr(&output);
    assert_eq!(code(&output), Some(1), "{said}");
    for part in ["/nowhere/config", "--kubeconfig", "--address"] {
        assert!(said.contains(part), "{said}");
    }
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it is bound").to_string();
    drop(listener);
    let output = run(&["top", "--address", &address], &[]).await;
    let said = stderr(&output);
    assert_eq!(code(&output), Some(1), "{said}");
    assert!(
        said.contains(&address) && said.contains("refused"),
        "{said}"
    );
}

#[tokio::test]
async fn a_token_goes_to_this_machine_and_not_into_the_open() {
    let fixed = Fixed::default();
    let address: SocketAddr = fixed.serve().await;
    let here = address.to_string();
    let words = ["fleet", "--token", "secret", "--address", &here];
    let output = run(&words, &[]).await;
    assert_eq!(code(&output), Some(0), "{}", stderr(&output));
    assert_eq!(fixed.asked().tokens, ["Bearer secret"]);
    // An address of TEST-NET-1, which is nobody's: refused before anything is sent.
    let open = ["fleet", "--token", "secret", "--address", "192.0.2.1:4850"];
    let output = run(&open, &[]).await;
    assert_eq!(code(&output), Some(1));
    assert!(
        stderr(&output).contains("not encrypted"),
        "{}",
        stderr(&output)
    );
}

#[tokio::test]
async fn whoever_reads_no_further_hears_no_complaint() {
    for words in [&["completion", "bash"][..], &["man"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-nodegrace"));
        command.args(words).env_clear().stdout(writer);
        let output = command.stderr(Stdio::piped()).spawn();
        let output = output.expect("it starts").wait_with_output();
        let output = output.expect("it ends");
        assert_eq!(
            (code(&output), &*stderr(&output)),
            (Some(0), ""),
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn shells_and_man_get_their_files() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = run(&["completion", shell], &[]).await;
        let script = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            code(&output) == Some(0) && script.contains("what-if"),
            "{shell}"
        );
    }
    let output = run(&["completion", "kubectl"], &[]).await;
    assert!(output.stdout.starts_with(b"#!/bin/sh\n"), "{output:?}");
    let output = run(&["__complete", "top", "--watch", "--fil"], &[]).await;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.starts_with("--filter\t") && told.ends_with("\n:4\n"),
        "{told}"
    );
    let output = run(&["man"], &[]).await;
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        code(&output) == Some(0) && page.starts_with(".ie"),
        "{page}"
    );
    assert!(page.contains("Exit codes"), "{page}");
}
