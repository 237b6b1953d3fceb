//! The bridge's own socket.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixStream},
};

use clap::Parser as _;

use super::*;
use crate::{CommandLine, Part};

#[tokio::test(start_paused = true)]
async fn the_socket_is_for_user_and_group() {
    let bridged = Bridged::start();
    bridged.ready().await;
    let path = bridged.at("bridge.sock");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[tokio::test]
async fn a_socket_that_was_left_is_replaced_and_one_that_lives_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bridge.sock");
    let crashed = Listener::bind(&path).await.unwrap();
    // It listens: it could be the runtime's.
    Listener::bind(&path).await.unwrap_err();
    UnixStream::connect(&path).unwrap();
    drop(crashed);
    UnixStream::connect(&path).unwrap_err();
    let _replaced = Listener::bind(&path).await.unwrap();
    UnixStream::connect(&path).unwrap();
}

#[tokio::test]
async fn what_is_no_socket_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "kept").unwrap();
    Listener::bind(&file).await.unwrap_err();
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn the_runtimes_own_socket_is_no_place_for_the_bridges() {
    let check = |listen: &str| {
        let args = ["agent", "cri-bridge", "--cri-socket=/run/a/a.sock"];
        let args = args.into_iter().chain(["--listen", listen]);
        match CommandLine::try_parse_from(args).unwrap().part {
            Some(Part::CriBridge(args)) => args.check(),
            None => panic!("it is the bridge"),
        }
    };
    check("unix:///run/a/a.sock").unwrap_err();
    check("/run/a//./a.sock").unwrap_err();
    check("/run/b/a.sock").unwrap();
}
