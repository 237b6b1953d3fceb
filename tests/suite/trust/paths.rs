//! Attacks by HTTP: paths that mean something else than they say, methods that nobody asked for, heads without an end.

use super::siege::{Siege, said, stranger};

/// The code of the answer to a request that is nothing but this head, with a token or none. Absent: there was no answer.
async fn code(siege: &Siege, line: &str, token: Option<&str>) -> Option<u16> {
    let token = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    head(siege, &format!("{line}\r\nhost: x\r\n{token}")).await
}

/// The code of the answer to these lines.
async fn head(siege: &Siege, lines: &str) -> Option<u16> {
    let stream = stranger(siege.aggregator.http).await;
    let words = format!("{lines}connection: close\r\n\r\n");
    let answer = said(stream, words.as_bytes()).await;
    let answer = String::from_utf8_lossy(&answer);
    answer.split(' ').nth(1)?.parse().ok()
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_the_guard() {
    let mut siege = Siege::begin().await;
    for target in [
        "/api/v1/fleet.json",
        "/page/../api/v1/fleet.json",
        "/page/",
        "/metrics",
        "//metrics",
        "/metrics/",
        "/%6detrics",
        "/%2e%2e/metrics",
        "/../metrics",
        "/livez/../metrics",
        "/livez/%2e%2e/metrics",
        "/livez%2f..%2fmetrics",
        "/livez/",
        "/livez;/metrics",
        "/LIVEZ",
        "//livez",
        "/%6civez",
        "/livez%00",
        "http://x/metrics",
        "http://localhost/api/v1/nodes.json",
        "http://x//livez",
        "*",
    ] {
        let line = format!("GET {target} HTTP/1.1");
        let answer = code(&siege, &line, None).await;
        assert!(matches!(answer, Some(400 | 401)), "{target}: {answer:?}");
        let answer = code(&siege, &line, Some("nobody")).await;
        assert!(matches!(answer, Some(400 | 403)), "{target}: {answer:?}");
    }
    siege.goes_on().await;
    for open in [
        "/",
        "/page/app.js",
        "/livez",
        "/readyz",
        "/livez?/metrics",
        "http://x/livez",
    ] {
        let line = format!("GET {open} HTTP/1.1");
        assert_eq!(code(&siege, &line, None).await, Some(200), "{open}");
    }
    siege.end().await;
}

/// A browser's page shows what the API says; a scraper's log, and whoever looks by hand, a line of text.
#[tokio::test]
async fn a_refusal_has_the_form_of_the_answers_at_its_path() {
    let siege = Siege::begin().await;
    let refused = async |path: &str, token: &str| {
        let stream = stranger(siege.aggregator.http).await;
        let words = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let answer = said(stream, words.as_bytes()).await;
        let answer = String::from_utf8(answer).expect("it is text");
        let (head, body) = answer.split_once("\r\n\r\n").expect("it has a body");
        (head.to_lowercase(), body.to_owned())
    };
    for (token, http, code) in [("made-up", "401", 16), ("nobody", "403", 7)] {
        let (head, body) = refused("/api/v1/fleet.json", token).await;
        assert!(head.starts_with(&format!("http/1.1 {http} ")), "{head}");
        assert!(head.contains("content-type: application/json"), "{head}");
        assert_eq!(head.contains("www-authenticate: "), http == "401", "{head}");
        let status: serde_json::Value = serde_json::from_str(&body).expect("it is JSON");
        assert_eq!(status["code"], code, "{body}");
        let why = status["message"].as_str().unwrap_or_default();
        assert!(!why.is_empty(), "{body}");

        let (head, body) = refused("/metrics", token).await;
        assert!(head.contains("content-type: text/plain"), "{head}");
        assert!(body.starts_with(why), "the same reason: {body}");
    }
    siege.end().await;
}

#[tokio::test]
async fn no_method_leads_past_the_guard() {
    let mut siege = Siege::begin().await;
    for method in [
        "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PRI", "get", "X-ODD",
    ] {
        let line = format!("{method} /metrics HTTP/1.1");
        let answer = code(&siege, &line, None).await;
        assert!(matches!(answer, Some(400 | 401)), "{method}: {answer:?}");
    }
    let answer = code(&siege, "CONNECT x:1 HTTP/1.1", None).await;
    assert!(matches!(answer, Some(400 | 401)), "{answer:?}");
    let answer = code(&siege, "DELETE /livez HTTP/1.1", None).await;
    assert_eq!(answer, Some(405));
    siege.goes_on().await;
    siege.end().await;
}

#[tokio::test]
async fn metrics_are_for_whoever_may_get_their_path_or_the_fleet() {
    let mut siege = Siege::begin().await;
    let metrics = "GET /metrics HTTP/1.1";
    for (token, refused) in [("scraper", false), ("reader", false), ("nobody", true)] {
        let answer = code(&siege, metrics, Some(token)).await;
        assert_eq!(answer == Some(403), refused, "{token}: {answer:?}");
        assert_ne!(answer, Some(401), "{token}");
    }
    let other = code(&siege, "GET /api/v1/nodes.json HTTP/1.1", Some("scraper")).await;
    assert_eq!(other, Some(403), "the path of metrics is no other");
    siege.goes_on().await;
    siege.end().await;
}

#[tokio::test]
async fn heads_without_measure_are_cut_off() {
    let mut siege = Siege::begin().await;
    let many = "x: y\r\n".repeat(65);
    let long = format!("x: {}\r\n", "y".repeat(64 << 10));
    for headers in [many, long] {
        let lines = format!("GET /livez HTTP/1.1\r\nhost: x\r\n{headers}");
        assert_eq!(head(&siege, &lines).await, Some(431));
        siege.goes_on().await;
    }
    let line = format!("GET /{} HTTP/1.1", "x".repeat(1 << 20));
    let answer = code(&siege, &line, None).await;
    // It is closed while the path is still coming: the answer may be lost by that.
    assert!(matches!(answer, None | Some(414 | 431)), "{answer:?}");
    siege.end().await;
}
