//! For which node a stream may report, and since when that is known.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Status};

use crate::{aggregator::Parts, trust::Shown};

/// For how long a check holds. Streams last for days; what an agent showed may have ended meanwhile, or its pod. A stolen one is
/// of use for at most so long after that, and 5,000 agents ask for eight checks a second.
const VALID_FOR: Duration = Duration::from_secs(600);

/// For how long the last check counts while nobody can be asked for another: as long as a pod's token lasts. An API server that
/// is down is what agents report of.
const UNTOLD_FOR: Duration = Duration::from_secs(3600);

/// Pause before somebody who could not tell is asked again.
const PAUSE: Duration = Duration::from_secs(30);

/// What a stream may do.
pub(super) struct Badge {
    shown: Shown,
    /// The only node it may report for. Absent: any.
    node: Option<Arc<str>>,
    /// When it was found right last, on the aggregator's clock.
    checked: Duration,
    /// When it is to be checked next.
    due: Duration,
}

impl Badge {
    /// Checks what was shown.
    ///
    /// # Errors
    /// When it is nothing of worth, or that cannot be told now.
    pub(super) async fn check(shown: Shown, parts: &Parts) -> Result<Self, Status> {
        let node = shown.node(parts).await?;
        let checked = parts.clock.now();
        Ok(Self {
            shown,
            node,
            checked,
            due: checked + VALID_FOR,
        })
    }

    /// Checks that a batch for `node` may come now.
    ///
    /// # Errors
    /// When it is another's node, or what was shown is of no worth any more.
    pub(super) async fn covers(&mut self, node: &str, parts: &Parts) -> Result<(), Status> {
        let now = parts.clock.now();
        if now >= self.due {
            match self.shown.node(parts).await {
                Ok(node) => {
                    self.node = node;
                    self.checked = now;
                    self.due = now + VALID_FOR;
                }
                Err(status)
                    if status.code() == Code::Unavailable
                        && now.saturating_sub(self.checked) < UNTOLD_FOR =>
                {
                    self.due = now + PAUSE;
                }
                Err(status) => return Err(status),
            }
        }
        match &self.node {
            Some(own) if **own != *node => Err(Status::permission_denied(format!(
                "an agent of node {own} must not report for node {node}"
            ))),
            _ => Ok(()),
        }
    }
}
