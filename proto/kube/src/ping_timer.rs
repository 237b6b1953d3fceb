//! What tells a connection when to ping: it does so with a beat of its owner's clock, so that a ping wakes nobody who is not awake anyway.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use nodegrace_clock::Clock;

/// Wakes a connection in time, or up to a beat of the clock earlier. Times are real ones, whatever the clock is.
#[derive(Clone, Debug)]
pub(crate) struct PingTimer(pub(crate) Clock);

/// A pause of a connection. Absent once it is over, for it may be asked again whether it is.
struct Pause(Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>);

impl Timer for PingTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        let clock = self.0.clone();
        Box::pin(Pause(Some(Box::pin(async move {
            clock.rest_within(duration).await;
        }))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        self.sleep(deadline.saturating_duration_since(self.now()))
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.0 {
            ready!(pause.as_mut().poll(context));
            self.0 = None;
        }
        Poll::Ready(())
    }
}

impl Sleep for Pause {}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use nodegrace_clock::Beat;

    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_pause_ends_with_a_beat_in_time_and_is_over_for_good() {
        let clock = Clock::real();
        let mut beat = Beat::every(&clock, PERIOD);
        let timer = PingTimer(clock.clone());
        let start = clock.now();
        let mut pause = timer.sleep_until(timer.now() + 4 * PERIOD);
        tokio::select! {
            () = pause.as_mut() => {}
            () = async { loop { beat.next().await } } => {}
        }
        assert!(clock.now() - start > 3 * PERIOD);
        let again = poll_fn(|context| Poll::Ready(pause.as_mut().poll(context))).await;
        assert!(again.is_ready());
    }
}
