//! What the watches of one agent tell each other: that the API server answers again. The first to get through spares the others the
//! rest of their pauses, so that both channels are seen again at about the same time, at no cost to a server that is down.

use tokio::sync::watch;

/// The watches of one agent, as each of them knows the others.
#[derive(Clone, Debug)]
pub(crate) struct Fellows(watch::Sender<()>);

impl Fellows {
    /// Nobody yet: whoever holds a clone is one.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// The API server answered one that had been without an answer.
    pub(super) fn tell(&self) {
        self.0.send_replace(());
    }

    /// Waits for one of them to tell, from now on.
    pub(super) async fn told(&self) {
        let mut back = self.0.subscribe();
        // It cannot end while this holds a sender itself.
        let _: Result<(), _> = back.changed().await;
    }
}
