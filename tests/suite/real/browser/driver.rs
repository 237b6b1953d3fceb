//! A browser without a screen, driven over `WebDriver`: chromedriver speaks HTTP and JSON.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
    process::{Child, Command as AsyncCommand},
};

/// Nothing that asks anything of the network but the page itself; no sandbox, because the tests run as root.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
];
/// Longest time until something shows. Far above what it takes: it only ends a broken test.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// Times in a row that something may be drawn anew between being found and being clicked.
const MOST_REDRAWN: usize = 10;
/// The key under which `WebDriver` hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys without a letter, as `WebDriver` writes them.
pub(super) const TAB: &str = "\u{e004}";
pub(super) const ENTER: &str = "\u{e007}";
pub(super) const RIGHT: &str = "\u{e014}";

/// A running browser with one tab.
pub(super) struct Browser {
    /// IP:PORT of its driver.
    address: String,
    session: String,
    /// The browser's process id, while it runs: it outlives a driver that is killed.
    pid: Option<u64>,
    _driver: Child,
}

impl Browser {
    /// Starts it.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let mut driver = AsyncCommand::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("chromedriver does not start; `.ci/run` installs it")?;
        let stdout = driver.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let port = loop {
            let line = lines.next_line().await?.context("chromedriver ended")?;
            if let Some((_, rest)) = line.split_once("successfully on port ") {
                break rest.trim_end_matches('.').parse::<u16>()?;
            }
        };
        let address = format!("127.0.0.1:{port}");
        let capabilities = json!({"alwaysMatch": {
            "goog:chromeOptions": {"args": FLAGS},
            "goog:loggingPrefs": {"browser": "ALL"},
        }});
        let asked = json!({ "capabilities": capabilities });
        let begun = ask(&address, "POST", "/session", &asked).await;
        let begun = begun.context("chromium does not start; `.ci/run` installs it")?;
        Ok(Self {
            session: text(&begun["sessionId"])?,
            pid: begun["capabilities"]["goog:processID"].as_u64(),
            address,
            _driver: driver,
        })
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let path = format!("/session/{}{path}", self.session);
        let answer = ask(&self.address, "POST", &path, &body).await;
        answer.with_context(|| format!("{path} {body}"))
    }

    async fn devtools(&self, command: &str, parameters: Value) -> anyhow::Result<()> {
        let asked = json!({"cmd": command, "params": parameters});
        self.post("/goog/cdp/execute", asked).await.map(drop)
    }

    /// Shows pages so wide, to somebody who prefers this scheme of colours.
    pub(super) async fn look(&self, width: u32, theme: &str) -> anyhow::Result<()> {
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await?;
        let preferred = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.devtools("Emulation.setEmulatedMedia", preferred).await
    }

    /// Opens a page anew and waits until its files are there.
    pub(super) async fn open(&self, url: &str) -> anyhow::Result<()> {
        // Where only what is after the hash differs, nothing would be loaded.
        self.post("/url", json!({ "url": "about:blank" })).await?;
        self.post("/url", json!({ "url": url })).await.map(drop)
    }

    /// What a function with this body returns in the page.
    pub(super) async fn run(&self, body: &str) -> anyhow::Result<Value> {
        let script = json!({"script": body, "args": []});
        self.post("/execute/sync", script).await
    }

    /// What it returns once that is something: neither null, nor false, nor empty.
    pub(super) async fn until(&self, body: &str) -> anyhow::Result<Value> {
        let asked = async {
            loop {
                let value = self.run(body).await?;
                if !matches!(value, Value::Null | Value::Bool(false)) && value != "" {
                    return anyhow::Ok(value);
                }
                #[allow(clippy::disallowed_methods, reason = "a browser runs in real time")]
                tokio::time::sleep(PAUSE).await;
            }
        };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(value) => value,
            Err(_) => anyhow::bail!(
                "never came true: {body}\nthe page says: {}\nthe console: {:?}",
                self.run("return document.body.innerText").await?,
                self.complaints().await?
            ),
        }
    }

    /// The text of the first element of this selector.
    pub(super) async fn text_of(&self, selector: &str) -> anyhow::Result<String> {
        let body = format!("return document.querySelector({selector:?}).innerText");
        text(&self.run(&body).await?)
    }

    /// Clicks on the first element of this selector, as a mouse does.
    pub(super) async fn click(&self, selector: &str) -> anyhow::Result<()> {
        for _ in 0..MOST_REDRAWN {
            let element = self.element(selector).await?;
            let clicked = self
                .post(&format!("/element/{element}/click"), json!({}))
                .await;
            match clicked {
                // It was drawn anew after it was found, which nobody with a mouse could notice.
                Err(error) if format!("{error:#}").contains("stale element reference") => {}
                clicked => return clicked.map(drop),
            }
        }
        anyhow::bail!("{selector} never stays")
    }

    /// Types into the first element of this selector, in place of what is there.
    pub(super) async fn write(&self, selector: &str, keys: &str) -> anyhow::Result<()> {
        let element = self.element(selector).await?;
        self.post(&format!("/element/{element}/clear"), json!({}))
            .await?;
        if keys.is_empty() {
            return Ok(());
        }
        self.post(
            &format!("/element/{element}/value"),
            json!({ "text": keys }),
        )
        .await
        .map(drop)
    }

    /// Presses keys, wherever the focus is.
    pub(super) async fn press(&self, keys: &str) -> anyhow::Result<()> {
        let strokes: Vec<Value> = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})))
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.post("/actions", actions).await.map(drop)
    }

    async fn element(&self, selector: &str) -> anyhow::Result<String> {
        let asked = json!({"using": "css selector", "value": selector});
        text(&self.post("/element", asked).await?[ELEMENT])
    }

    /// What a screen reader calls the first element of this selector.
    pub(super) async fn label_of(&self, selector: &str) -> anyhow::Result<String> {
        let path = format!(
            "/session/{}/element/{}/computedlabel",
            self.session,
            self.element(selector).await?
        );
        text(&ask(&self.address, "GET", &path, &Value::Null).await?)
    }

    /// Writes what is seen into a file.
    pub(super) async fn screenshot(&self, file: &Path) -> anyhow::Result<()> {
        let path = format!("/session/{}/screenshot", self.session);
        let shot = ask(&self.address, "GET", &path, &Value::Null).await?;
        let shot = BASE64_STANDARD.decode(text(&shot)?)?;
        std::fs::write(file, shot).with_context(|| file.display().to_string())
    }

    /// Warnings and errors on the console since it was looked at last.
    pub(super) async fn complaints(&self) -> anyhow::Result<Vec<String>> {
        let log = self.post("/se/log", json!({"type": "browser"})).await?;
        let lines = log.as_array().into_iter().flatten();
        let complaints =
            lines.filter(|line| line["level"] == "WARNING" || line["level"] == "SEVERE");
        Ok(complaints.map(ToString::to_string).collect())
    }

    /// Ends it.
    pub(super) async fn quit(mut self) -> anyhow::Result<()> {
        let path = format!("/session/{}", self.session);
        ask(&self.address, "DELETE", &path, &Value::Null).await?;
        self.pid = None;
        Ok(())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(pid) = self.pid {
            let _ = Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .stderr(Stdio::null())
                .status();
        }
    }
}

fn text(value: &Value) -> anyhow::Result<String> {
    let text = value.as_str().map(str::to_owned);
    text.with_context(|| format!("no text: {value}"))
}

/// What a driver answers, without its wrapping.
async fn ask(address: &str, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", address)
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(body))?;
    let answer = sender.send_request(request).await?;
    let succeeded = answer.status().is_success();
    let answer = answer.into_body().collect().await?.to_bytes();
    connection.abort();
    let mut answer: Value = serde_json::from_slice(&answer)?;
    let value = answer["value"].take();
    anyhow::ensure!(succeeded, "{}: {}", value["error"], value["message"]);
    Ok(value)
}
