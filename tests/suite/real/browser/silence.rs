//! An aggregator that answers no more: the page says so, and since when, and claims nothing anew for a tab that nobody sees.

use std::time::Duration;

use nodegrace_clock::Clock;

use super::driver::Browser;

/// From here on nothing is answered, and the page's patience is short. Questions are counted, and can be let go.
const SILENCE: &str = "
    window.real = { fetch: window.fetch, timeout: AbortSignal.timeout, now: performance.now };
    window.asked = 0;
    AbortSignal.timeout = (long) => window.real.timeout.call(AbortSignal, long / 200);
    window.fetch = (url, { signal }) => new Promise((_, refuse) => {
        window.asked += 1;
        window.release = () => refuse(new Error('let go'));
        signal.addEventListener('abort', () => refuse(signal.reason));
    });
    document.dispatchEvent(new Event('visibilitychange'))";
const IS_LOST: &str = "document.getElementById('live').dataset.state === 'lost'";
/// Long enough for a question that must not be asked.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Holds a page that is live against it, and leaves it live.
pub(super) async fn is_told(browser: &Browser) -> anyhow::Result<()> {
    let is_live = "return document.getElementById('live').innerText === 'live'";
    browser.until(is_live).await?;
    browser.run(SILENCE).await?;
    // The question hangs until the page has had enough of it.
    browser
        .until(&format!(
            "return {IS_LOST} && document.getElementById('live').innerText.startsWith('offline')"
        ))
        .await?;

    browser
        .run(
            "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
             window.asked = 0;
             document.dispatchEvent(new Event('visibilitychange'))",
        )
        .await?;
    Clock::real().sleep(A_MOMENT).await;
    let unasked = browser
        .run(&format!("return {IS_LOST} && window.asked === 0"))
        .await?;
    anyhow::ensure!(unasked == true, "a hidden tab learns nothing");

    // Who looks at it again is told at once how old it all is, while the next answer is waited for.
    browser
        .run(
            "delete document.hidden;
             AbortSignal.timeout = window.real.timeout;
             performance.now = () => window.real.now.call(performance) + 60_000;
             document.dispatchEvent(new Event('visibilitychange'))",
        )
        .await?;
    browser
        .until(&format!(
            "return {IS_LOST} && window.asked > 0 && /none for (?:[6-9]|[1-9]\\d)0s: figures are old/.test(document.getElementById('live').innerText)"
        ))
        .await?;

    browser
        .run(
            "window.fetch = window.real.fetch;
             performance.now = window.real.now;
             window.release();
             setTimeout(() => document.dispatchEvent(new Event('visibilitychange')), 100)",
        )
        .await?;
    browser.until(is_live).await?;
    Ok(())
}
