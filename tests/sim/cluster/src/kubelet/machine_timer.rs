//! Timers of a process on a node, for its connections: like everything else on the machine they stand still with it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};
use nodegrace_clock::Clock;

/// Times connections by tokio's time, as long as the machine of a clock moves.
#[derive(Clone, Debug)]
pub struct MachineTimer(Clock);

impl MachineTimer {
    /// The timer of the machine that has this clock.
    pub fn new(clock: Clock) -> Self {
        Self(clock)
    }
}

impl Timer for MachineTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let clock = self.0.clone();
        Box::pin(Sleeping(Box::pin(async move {
            tokio::time::sleep_until(deadline.into()).await;
            clock.while_it_stands_still().await;
        })))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into()
    }
}

struct Sleeping(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for Sleeping {}
