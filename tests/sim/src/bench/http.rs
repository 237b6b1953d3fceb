//! HTTP by hand: GET over a connection of its own, as a scrape is.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The body of an answer as it came: what is zipped stays so.
///
/// # Errors
/// When there is no answer, or it is not 200.
pub(super) async fn get(address: SocketAddr, path: &str, zipped: bool) -> anyhow::Result<Vec<u8>> {
    ask(address, "GET", path, zipped).await
}

/// The same of a request that changes something.
///
/// # Errors
/// As [`get`].
pub(super) async fn post(address: SocketAddr, path: &str) -> anyhow::Result<Vec<u8>> {
    ask(address, "POST", path, false).await
}

async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    zipped: bool,
) -> anyhow::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let encoding = if zipped {
        "Accept-Encoding: gzip\r\n"
    } else {
        ""
    };
    // 1.0: the answer comes in one piece.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n{encoding}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.context("half an answer")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap_or_default();
    ensure!(status == "200", "{path}: {status}");
    Ok(answer.split_off(end + 4))
}
