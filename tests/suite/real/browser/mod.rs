//! The web page in a real chromium: what it shows, what it lets people do, and how fast it is.

mod demo;
mod driver;
mod made_up;
mod settings;
mod silence;
mod views;

use std::time::Duration;

use anyhow::Context as _;
use kubectl_nodegrace::show::figure;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use tonic::transport::Channel;

use self::driver::Browser;

/// Nodes of the largest cluster that Kubernetes promises.
const MANY: u64 = 5_000;
/// Rows that are held against gRPC: as many as are seen without scrolling, and some.
const ROWS: i32 = 25;

/// Everything that the list shows of a node, cell by cell.
const CELLS: &str = "return [...document.querySelectorAll('.space .row[data-key]:not(.group)')].map((row) =>
    ['state-cell', 'name', 'p99', 'longest', 'margin', 'flips', 'cause'].map((kind) => row.querySelector('.' + kind).innerText.trim()))";

#[tokio::test]
async fn five_thousand_nodes_are_shown_with_the_figures_that_grpc_answers() -> anyhow::Result<()> {
    let aggregator = made_up::Told::start().await?;
    let channel = aggregator.channel.clone();
    let clock = Clock::real();
    let begun = clock.now();
    made_up::tell(&channel, MANY).await?;
    println!(
        "{MANY} nodes told of in {:.1} s",
        (clock.now() - begun).as_secs_f64()
    );

    let browser = Browser::start().await?;
    browser.look(1280, "light").await?;
    browser
        .open(&format!("http://{}/#/?group=none", aggregator.http))
        .await?;
    browser
        .until("return document.querySelector('.space .row')")
        .await?;
    let told = browser.text_of(".count").await?;
    assert_eq!(told, format!("{MANY} nodes"));
    println!(
        "the first look at {MANY} nodes: {}",
        times(&browser, 0.0).await?
    );

    let shown: Vec<Vec<String>> = serde_json::from_value(browser.run(CELLS).await?)?;
    let request = v1::ListNodesRequest {
        page_size: ROWS,
        ..v1::ListNodesRequest::default()
    };
    let mut queries = QueryClient::new(channel.clone());
    let nodes = queries.list_nodes(request).await?.into_inner().nodes;
    let expected: Vec<_> = nodes.iter().map(cells).collect();
    assert_eq!(shown[..expected.len()], expected);

    expressions_are_judged_by_the_aggregator(&browser, &mut queries).await?;

    // What is news shows by itself.
    browser.write("#filter", &made_up::name(12)).await?;
    let late = Duration::from_millis(399_123);
    let begun = clock.now();
    made_up::tell_late(&channel, 12, late).await?;
    let cell = format!(
        "return document.querySelector('[data-key=\"{}\"] .longest')?.innerText === '399.1s'",
        made_up::name(12)
    );
    browser.until(&cell).await?;
    println!(
        "from a heartbeat to the page that shows it: {:.1} s",
        (clock.now() - begun).as_secs_f64()
    );

    // The groups: those who are well are out of the way. Half-typed expressions were refused as well.
    browser.complaints().await?;
    browser
        .open(&format!("http://{}/#/", aggregator.http))
        .await?;
    browser
        .until("return document.querySelector('.space .group')")
        .await?;
    let states: Vec<String> = serde_json::from_value(
        browser
            .run("return [...document.querySelectorAll('.space .row .state-cell')].map((cell) => cell.innerText.split(' ')[1])")
            .await?,
    )?;
    assert!(!states.contains(&"OK".to_owned()), "{states:?}");
    views::shoot(&browser, "fleet-of-5000").await?;
    assert_eq!(browser.complaints().await?, [""; 0]);
    browser.quit().await
}

/// What is more than a word goes to the aggregator, which also says what is wrong with it.
async fn expressions_are_judged_by_the_aggregator(
    browser: &Browser,
    queries: &mut QueryClient<Channel>,
) -> anyhow::Result<()> {
    browser
        .write("#filter", "margin < 100s AND name:pool-0")
        .await?;
    let request = v1::ListNodesRequest {
        filter: "margin < 100s AND name:pool-0".to_owned(),
        ..v1::ListNodesRequest::default()
    };
    let matching = queries.list_nodes(request).await?.into_inner().total_size;
    let all = i32::try_from(MANY)?;
    assert!((1..all).contains(&matching), "{matching}");
    let count = format!(
        "return document.querySelector('.count').innerText === '{matching} nodes' && document.querySelectorAll('.space .row').length > 0"
    );
    browser.until(&count).await?;
    browser.write("#filter", "margin < ").await?;
    browser
        .until("return document.querySelector('#filter-error').innerText")
        .await?;
    // The console tells of the request that was refused, and of nothing else.
    let complaints = browser.complaints().await?;
    assert!(
        !complaints.is_empty()
            && complaints
                .iter()
                .all(|line| line.contains("400 (Bad Request)")),
        "{complaints:?}"
    );
    // Another expression has all that matches asked for anew: the most that an update can be.
    browser.write("#filter", "name:node").await?;
    let typed = now(browser).await?;
    println!("an update of all of them: {}", times(browser, typed).await?);
    assert_eq!(browser.text_of(".count").await?, format!("{MANY} nodes"));
    Ok(())
}

/// A node as the list shows it, in the words of `kubectl nodegrace`.
fn cells(node: &v1::Node) -> Vec<String> {
    let gap = node.gap.unwrap_or_default();
    let flips = node.expected_flips.map(|flips| flips.per_day);
    let glyph = match node.state() {
        v1::State::Flipping => "◆",
        v1::State::Near => "●",
        v1::State::Overdue => "▲",
        _ => "?",
    };
    let state = figure::name(node.state().as_str_name(), "STATE_");
    vec![
        format!("{glyph} {state}"),
        node.name.clone(),
        figure::seconds(gap.p99),
        figure::seconds(gap.max),
        figure::seconds(node.margin.and_then(|margin| margin.p99)),
        flips.map_or_else(figure::unknown, figure::per_day),
        node.causes
            .first()
            .map_or_else(figure::unknown, |cause| figure::cause(cause.kind())),
    ]
}

/// How long the page took for its first look after this moment of its own clock, by its own measure and the browser's.
async fn times(browser: &Browser, after: f64) -> anyhow::Result<String> {
    let told = browser
        .until(&format!(
            "const [paint, asked, drawn] = ['first-contentful-paint', 'nodegrace:ask', 'nodegrace:draw']
                 .map((name) => performance.getEntriesByName(name)[0]);
             return paint && drawn?.startTime > {after} && `${{asked.duration.toFixed(0)}} ms to ask and ${{drawn.duration.toFixed(0)}} ms to \
             draw, done ${{(drawn.startTime + drawn.duration).toFixed(0)}} ms after the page was opened, whose first paint was at \
             ${{paint.startTime.toFixed(0)}} ms`"
        ))
        .await?;
    Ok(told.as_str().context("no text")?.to_owned())
}

/// The time by the page's own clock, in milliseconds since it was opened.
async fn now(browser: &Browser) -> anyhow::Result<f64> {
    let now = browser.run("return performance.now()").await?;
    now.as_f64().context("no time")
}
