//! Every view of the page over the demo's cluster: seen in both themes on wide and narrow screens, and used by mouse and keyboard.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use nodegrace_clock::Clock;
use nodegrace_proto::v1::{self, query_client::QueryClient};
use serde_json::Value;

use super::{
    demo::{Demo, GRACE, PATIENCE, POLL},
    driver::{Browser, ENTER, RIGHT, TAB},
    silence,
};

/// True once a view is drawn.
const DRAWN: &str = "return document.querySelector('.space .row') || document.querySelector('.node .facts') \
     || document.querySelector('.slider ~ div .facts') || document.querySelector('.story li')";

/// The names in the list, in order.
const NAMES: &str = "return [...document.querySelectorAll('.space .row:not(.group) .name')].map((name) => name.innerText)";

/// Writes what is seen into the directory of screenshots.
pub(super) async fn shoot(browser: &Browser, name: &str) -> anyhow::Result<()> {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
    fs::create_dir_all(&directory)?;
    browser
        .screenshot(&directory.join(format!("{name}.png")))
        .await
}

#[tokio::test]
async fn every_view_can_be_seen_and_used_by_everybody() -> anyhow::Result<()> {
    let demo = Demo::start()?;
    let flip = demo.flip().await?;
    let lost = flip.services.first().context("it lost some")?;
    let service = format!("{}/{}", lost.namespace, lost.service);
    let browser = Browser::start().await?;
    nodes_are_found(&browser, &demo).await?;
    theme_is_worn(&browser).await?;
    keys_reach_everything(&browser, &demo).await?;
    the_story_is_told(&browser, &demo, &service).await?;
    graces_are_tried(&browser, &demo).await?;
    silence::is_told(&browser).await?;

    // Last, when there is most to see.
    let clock = Clock::real();
    let begun = clock.now();
    let hashes = [
        ("fleet", "#/".to_owned()),
        ("node", format!("#/node/{}", flip.node_name)),
        ("endpoints", format!("#/endpoints?service={service}")),
        ("what-if", "#/what-if".to_owned()),
    ];
    for (view, hash) in &hashes {
        for width in [400, 1280] {
            browser.look(width, "light").await?;
            browser.open(&demo.url(hash)).await?;
            browser.until(DRAWN).await?;
            let overflow = "return document.documentElement.scrollWidth - innerWidth";
            assert_eq!(browser.run(overflow).await?, 0, "{view} at {width} pixels");
            named(&browser).await.with_context(|| (*view).to_owned())?;
            let nonsense = "return document.body.innerText.match(/\\[object .*|undefined|NaN/)";
            assert_eq!(browser.run(nonsense).await?, Value::Null, "{view}");
            for theme in ["light", "dark"] {
                browser.look(width, theme).await?;
                shoot(&browser, &format!("{view}-{theme}-{width}")).await?;
            }
        }
    }
    println!(
        "screenshots of {} views in {:.1} s: {}/page",
        hashes.len(),
        (clock.now() - begun).as_secs_f64(),
        env!("CARGO_TARGET_TMPDIR")
    );

    assert_eq!(browser.complaints().await?, [""; 0]);
    browser.quit().await
}

/// Every control has a name, and the page its landmarks: what a screen reader goes by.
async fn named(browser: &Browser) -> anyhow::Result<()> {
    let nameless = browser
        .run(
            "const name = (of) => of.getAttribute('aria-label') || of.innerText.trim() || of.labels?.[0]?.innerText.trim();
             return [...document.querySelectorAll('a[href], button, input, select, [tabindex=\"0\"]')]
                 .filter((of) => of.checkVisibility() && !name(of)).map((of) => of.outerHTML)",
        )
        .await?;
    anyhow::ensure!(nameless == Value::Array(Vec::new()), "nameless: {nameless}");
    for landmark in ["main", "nav[aria-label]", "header", "h1"] {
        let found = format!("return document.querySelectorAll({landmark:?}).length");
        anyhow::ensure!(browser.run(&found).await? == 1, "{landmark}");
    }
    let pictures = "return [...document.querySelectorAll('svg')].filter((of) => !of.getAttribute('aria-label')).length";
    anyhow::ensure!(browser.run(pictures).await? == 0, "a picture says nothing");
    Ok(())
}

/// What the system prefers is worn, until somebody chooses.
async fn theme_is_worn(browser: &Browser) -> anyhow::Result<()> {
    let paper = "return getComputedStyle(document.body).backgroundColor";
    browser.look(1280, "dark").await?;
    let dark = browser.run(paper).await?;
    browser.look(1280, "light").await?;
    anyhow::ensure!(browser.run(paper).await? != dark);
    browser.click("#theme").await?;
    browser.click("#theme").await?;
    anyhow::ensure!(browser.run(paper).await? == dark, "dark is chosen");
    browser.click("#theme").await?;
    Ok(())
}

/// States, words, expressions and orders narrow the list to what they say.
async fn nodes_are_found(browser: &Browser, demo: &Demo) -> anyhow::Result<()> {
    browser.look(1280, "light").await?;
    browser.open(&demo.url("#/")).await?;
    browser
        .until("return document.querySelector('[data-state=OK]')")
        .await?;
    browser.click("[data-state=OK]").await?;
    browser
        .until(
            "const states = [...document.querySelectorAll('.space .row .state-cell')].map((cell) => cell.innerText);
             return states.length > 0 && states.every((state) => state.endsWith(' OK')) && location.hash.includes('state=OK')",
        )
        .await?;
    browser.click("[data-state=OK][aria-pressed=true]").await?;
    browser.write("#filter", "node-01").await?;
    browser
        .until(&format!("const names = (() => {{ {NAMES} }})(); return names.length === 4 && names.every((name) => name.startsWith('node-01'))"))
        .await?;
    browser.run("const sort = document.getElementById('sort'); sort.value = 'name'; sort.dispatchEvent(new Event('change'));
        const group = document.getElementById('group'); group.value = 'none'; group.dispatchEvent(new Event('change'))").await?;
    browser
        .until(&format!("const names = (() => {{ {NAMES} }})(); return names.join() === 'node-010,node-011,node-012,node-013'"))
        .await?;
    // The address keeps it all, for whoever gets it sent.
    let hash = browser.run("return location.hash").await?;
    anyhow::ensure!(hash == "#/?q=node-01&sort=name&group=none", "{hash}");
    browser.click("[data-key=node-012] a").await?;
    browser
        .until("return document.querySelector('.node .facts') && document.querySelector('h1').innerText === 'node-012'")
        .await?;
    Ok(())
}

/// By the tab key alone, from the skip link to a node.
async fn keys_reach_everything(browser: &Browser, demo: &Demo) -> anyhow::Result<()> {
    browser.open(&demo.url("#/?q=node-0")).await?;
    browser.until(DRAWN).await?;
    browser.press(TAB).await?;
    let focused = "return document.activeElement.innerText || document.activeElement.id";
    anyhow::ensure!(browser.run(focused).await? == "Skip to content");
    browser.press(ENTER).await?;
    anyhow::ensure!(browser.run("return document.activeElement.id").await? == "main");
    let hash = browser.run("return location.hash").await?;
    anyhow::ensure!(hash == "#/?q=node-0", "skipping leads elsewhere: {hash}");
    let mut reached = Vec::new();
    for _ in 0..24 {
        browser.press(TAB).await?;
        let at = browser.run("const at = document.activeElement; return at.dataset.state ? 'state' : at.id || (at.closest('.group') ? 'group heading' : at.closest('.row') ? 'node' : at.tagName)").await?;
        reached.push(at.as_str().unwrap_or_default().to_owned());
    }
    for control in ["state", "filter", "sort", "group", "group heading", "node"] {
        anyhow::ensure!(
            reached.iter().any(|at| at == control),
            "{control} is not among {reached:?}"
        );
    }
    // A heading is opened and closed where the focus stays, whatever is drawn anew meanwhile.
    browser
        .run("document.querySelector('.group button').focus()")
        .await?;
    browser.press(ENTER).await?;
    let closed = "return document.activeElement.closest('.group') && document.activeElement.getAttribute('aria-expanded') === 'false'";
    browser.until(closed).await?;
    for (selector, label) in [
        ("#filter", "Filter"),
        ("#sort", "Sort by"),
        ("#group", "Group by"),
    ] {
        let told = browser.label_of(selector).await?;
        anyhow::ensure!(told.starts_with(label), "{selector} is called {told:?}");
    }
    Ok(())
}

/// The story of a Service in the page is the one that gRPC tells.
async fn the_story_is_told(browser: &Browser, demo: &Demo, service: &str) -> anyhow::Result<()> {
    browser.open(&demo.url("#/endpoints")).await?;
    browser
        .until("return document.querySelector('#services option')")
        .await?;
    browser.write("#service", service).await?;
    browser.press(ENTER).await?;
    browser
        .until(
            "return document.querySelector('.story li') && document.querySelector('.picture svg')",
        )
        .await?;
    let (namespace, name) = service.split_once('/').context("both parts")?;
    let request = v1::ExplainEndpointRequest {
        namespace: namespace.to_owned(),
        service: name.to_owned(),
        ..v1::ExplainEndpointRequest::default()
    };
    let mut queries = QueryClient::new(demo.channel.clone());
    let clock = Clock::real();
    let begun = clock.now();
    loop {
        // The cluster goes on meanwhile: what counts is what the page shows between two answers that are the same.
        let before = queries
            .explain_endpoint(request.clone())
            .await?
            .into_inner();
        let shown = browser.run("return [...document.querySelectorAll('.story li > span:last-child')].map((said) => said.innerText)").await?;
        let after = queries
            .explain_endpoint(request.clone())
            .await?
            .into_inner();
        let told: Vec<_> = before
            .entries
            .iter()
            .map(|entry| entry.sentence.clone())
            .collect();
        if before.entries == after.entries && shown == Value::from(told) {
            return Ok(());
        }
        anyhow::ensure!(clock.now() - begun < PATIENCE, "{shown} is not {before:#?}");
        clock.sleep(POLL).await;
    }
}

/// The slider, by keyboard: another grace period, other figures, and an address that leads back to it.
async fn graces_are_tried(browser: &Browser, demo: &Demo) -> anyhow::Result<()> {
    browser.open(&demo.url("#/what-if")).await?;
    browser.until(DRAWN).await?;
    anyhow::ensure!(browser.text_of("output").await? == GRACE);
    browser
        .run("document.getElementById('grace').focus()")
        .await?;
    browser.press(RIGHT).await?;
    browser
        .until("return document.querySelector('output').innerText === '35s' && location.hash === '#/what-if?g=35'")
        .await?;
    let label = browser.label_of("#grace").await?;
    anyhow::ensure!(label.starts_with("node-monitor-grace-period"), "{label}");
    // What to paste is for three places, and has a heading for each.
    let advised = "section[aria-label=Recommendation]";
    let places = format!(
        "const at = document.querySelector('{advised}'); return [at.querySelectorAll('h3').length, at.querySelectorAll('pre').length]"
    );
    let places = browser.run(&places).await?;
    anyhow::ensure!(places == serde_json::json!([3, 3]), "{places}");
    Ok(())
}
