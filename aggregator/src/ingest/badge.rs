//! For which node a stream may report, and since when that is known.

use std::{sync::Arc, time::Duration};

use tonic::Status;

use crate::{
    aggregator::Parts,
    trust::{Shown, next_check},
};

/// What a stream may do.
pub(super) struct Badge {
    shown: Shown,
    /// The only node it may report for. Absent: any.
    node: Option<Arc<str>>,
    /// When it is to be checked next, on the aggregator's clock.
    due: Duration,
}

impl Badge {
    /// Checks what was shown.
    ///
    /// # Errors
    /// When it is nothing of worth, or that cannot be told now.
    pub(super) async fn check(shown: Shown, parts: &Parts) -> Result<Self, Status> {
        let found = shown.node(parts).await?;
        Ok(Self {
            shown,
            due: next_check(found.at, parts.clock.now()),
            node: found.what,
        })
    }

    /// The only node it may report for. Absent: any.
    pub(super) const fn node(&self) -> Option<&Arc<str>> {
        self.node.as_ref()
    }

    /// True when the next batch has to wait for another check.
    pub(super) fn is_due(&self, parts: &Parts) -> bool {
        parts.clock.now() >= self.due
    }

    /// Checks that a batch for `node` may come now.
    ///
    /// # Errors
    /// When it is another's node, or what was shown is of no worth any more.
    pub(super) async fn covers(&mut self, node: &str, parts: &Parts) -> Result<(), Status> {
        if self.is_due(parts) {
            let now = parts.clock.now();
            let found = self.shown.node(parts).await?;
            self.due = next_check(found.at, now);
            self.node = found.what;
        }
        match &self.node {
            Some(own) if **own != *node => Err(Status::permission_denied(format!(
                "an agent of node {own} must not report for node {node}"
            ))),
            _ => Ok(()),
        }
    }
}
