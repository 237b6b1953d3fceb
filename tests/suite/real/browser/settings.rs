//! A controller that looks seldom and waits for long, and a node of which records were refused.

use nodegrace_proto::v1;

use super::{driver::Browser, made_up};

#[tokio::test]
async fn other_settings_and_losses_are_shown_as_they_are() -> anyhow::Result<()> {
    let flags = ["--grace-period=417s", "--monitor-period=20s"];
    let aggregator = made_up::Told::start_with(&flags).await?;
    made_up::tell(&aggregator.channel, 13).await?;
    let node = made_up::name(12);
    let losses = v1::Losses {
        rejected_records: 1,
        ..v1::Losses::default()
    };
    made_up::tell_lost(&aggregator.channel, 12, losses).await?;

    let browser = Browser::start().await?;
    browser.look(1280, "light").await?;
    let page = |hash: &str| format!("http://{}/#/{hash}", aggregator.http);
    browser.open(&page("what-if")).await?;
    // The present grace period, which is no multiple of anything, is on the slider, and the curve reaches beyond it.
    browser
        .until(
            "return document.querySelector('output')?.innerText === '417s'
                 && [...document.querySelectorAll('.chart .tick')].some((tick) => tick.textContent === 'now 417s')
                 && document.getElementById('grace').value !== document.getElementById('grace').max",
        )
        .await?;

    browser.open(&page(&format!("node/{node}"))).await?;
    browser
        .until(
            "const lost = [...document.querySelectorAll('.facts dt')].find((term) => term.innerText === 'Records lost');
             return lost?.nextSibling.innerText === '1, 1 of them refused'",
        )
        .await?;
    browser
        .until("return document.querySelector('path.longest')?.getAttribute('d').length > 0")
        .await?;
    assert_eq!(browser.complaints().await?, [""; 0]);
    browser.quit().await
}
