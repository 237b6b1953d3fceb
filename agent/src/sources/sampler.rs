//! Takes a sample at every interval: reads the host's files, which answer at once, and takes what slow sources left. While a
//! heartbeat is late, takes fine samples of the files alone in between.

use std::{convert::Infallible, sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{
    Failure, KubeletMetrics, Outcome, Runtime, Sample, Source, SourceReport,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    KubeletServer, Missing, Reading, RuntimeSocket,
    host::HostFiles,
    runtime::answered,
    series::Series,
    slot::{Slot, Timed},
    vigil::{End, Vigil},
};
use crate::{config::Config, journal::Journal, rhythm::Rhythm, wire};

/// How much earlier slow sources ask than samples are taken, as a part of the interval: an answer that comes as usual is
/// fresh in the sample.
const HEAD_START: u32 = 5;

/// Shortest time between two batches of nothing but fine samples. When the API server stands still, the agents of all nodes take
/// them at once: this makes a fifth of the batches of it.
const FINE_DELIVERY: Duration = Duration::from_secs(5);

/// Takes the samples of one node.
pub(crate) struct Sampler {
    clock: Clock,
    journal: Arc<Journal>,
    interval: Duration,
    host: HostFiles,
    usual: Series,
    fine: Series,
    vigil: Vigil,
    rhythm: watch::Receiver<Rhythm>,
    runtime: Arc<Slot<Runtime>>,
    kubelet_metrics: Arc<Slot<KubeletMetrics>>,
    kubelet_config: Arc<Slot<()>>,
    /// When fine samples were last sent on their way.
    sent: Duration,
}

impl Sampler {
    pub(crate) fn new(
        config: &Config,
        clock: Clock,
        journal: Arc<Journal>,
        rhythm: watch::Receiver<Rhythm>,
        runtime: &RuntimeSocket,
        kubelet: &KubeletServer,
    ) -> Self {
        Self {
            clock,
            journal,
            interval: config.sample_interval,
            host: HostFiles::new(config),
            usual: Series::usual(),
            fine: Series::fine(),
            vigil: Vigil::new(config.fine_after),
            rhythm,
            runtime: runtime.readings(),
            kubelet_metrics: kubelet.metrics(),
            kubelet_config: kubelet.config(),
            sent: Duration::ZERO,
        }
    }

    /// Takes samples until `shutdown`.
    pub(crate) async fn sample(mut self, shutdown: CancellationToken) {
        shutdown.run_until_cancelled(self.samples()).await;
    }

    async fn samples(&mut self) -> Infallible {
        let start = self.clock.now() + self.interval / HEAD_START;
        let mut next = self.clock.on_beat(start);
        loop {
            let fine = self.vigil.due();
            tokio::select! {
                Ok(()) = self.rhythm.changed() => self.attend(),
                () = self.clock.rest_until(next) => {
                    let sample = self.take(next);
                    self.journal.sample(sample);
                    // A sample that came late, on a machine that was paused, is not made up for.
                    let next_at = self.clock.now().max(next + self.interval);
                    next = self.clock.on_beat(next_at);
                }
                () = until(&self.clock, fine) => self.take_fine(fine),
            }
        }
    }

    /// Takes what is awaited now. A heartbeat that came late ends its series of fine samples with one of this moment.
    fn attend(&mut self) {
        let awaited = self.rhythm.borrow_and_update().awaited();
        let Some(end) = self.vigil.attend(awaited, self.clock.now()) else {
            return;
        };
        if end == End::Late {
            let sample = self.fine.take(&mut self.host, &self.clock, None);
            self.journal.sample(sample);
        }
        self.fine = Series::fine();
    }

    /// Takes the fine sample that is due. What is told is written down at once, and sent with what else there is, or when it is
    /// time.
    fn take_fine(&mut self, due: Option<Duration>) {
        let sample = self.fine.take(&mut self.host, &self.clock, due);
        let now = self.clock.now();
        let mut told = 0;
        for sample in self.vigil.take(sample, now) {
            self.journal.sample_unhurried(sample);
            told += 1;
        }
        if told > 0 && now >= self.sent + FINE_DELIVERY {
            self.journal.announce();
            self.sent = now;
        }
    }

    fn take(&mut self, planned: Duration) -> Sample {
        let mut sample = self.usual.take(&mut self.host, &self.clock, Some(planned));
        let now = self.clock.now();
        sample.runtime = note_partial(
            &mut sample,
            Source::Runtime,
            self.runtime.take(now),
            answered,
        );
        let metrics = self.kubelet_metrics.take(now);
        let told_before = metrics.told_before;
        sample.kubelet_metrics =
            note(&mut sample, Source::KubeletMetrics, metrics).map(|metrics| {
                if told_before {
                    told_again(&metrics)
                } else {
                    metrics
                }
            });
        note(
            &mut sample,
            Source::KubeletConfig,
            self.kubelet_config.take(now),
        );
        sample
    }
}

/// What a reading of /metrics still says in a sample after the one that had it: that nothing which happened in an interval is
/// counted twice.
fn told_again(metrics: &KubeletMetrics) -> KubeletMetrics {
    KubeletMetrics {
        running_pods: metrics.running_pods,
        running_containers: metrics.running_containers,
        pleg_last_seen_age: metrics.pleg_last_seen_age,
        start_time: metrics.start_time,
        told_before: true,
        ..KubeletMetrics::default()
    }
}

/// Waits until a moment, or for ever if there is none.
async fn until(clock: &Clock, moment: Option<Duration>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Notes in the sample how reading a source went that may give something and fail all the same: `whole` tells whether it did.
/// Returns what it gave.
pub(super) fn note_partial<T>(
    sample: &mut Sample,
    source: Source,
    timed: Timed<T>,
    whole: impl FnOnce(&T) -> Reading<()>,
) -> Option<T> {
    let went = Timed {
        reading: timed
            .reading
            .as_ref()
            .map_err(Missing::clone)
            .and_then(whole),
        took: timed.took,
        told_before: timed.told_before,
    };
    note(sample, source, went);
    timed.reading.ok()
}

/// Notes in the sample how reading a source went. Returns what it gave.
pub(super) fn note<T>(sample: &mut Sample, source: Source, timed: Timed<T>) -> Option<T> {
    let failure = timed
        .reading
        .as_ref()
        .map_or_else(Missing::failure, |_| Failure::Unspecified);
    let (outcome, reason, value) = match timed.reading {
        Ok(value) => (Outcome::Ok, String::new(), Some(value)),
        Err(Missing::Absent(reason)) => (Outcome::Absent, reason, None),
        Err(Missing::Failed(reason) | Missing::Unanswered(_, reason)) => {
            (Outcome::Error, reason, None)
        }
    };
    sample.sources.push(SourceReport {
        source: source.into(),
        outcome: outcome.into(),
        reason: wire::clip(reason),
        took: timed.took.map(wire::duration),
        failure: failure.into(),
    });
    value
}

#[cfg(test)]
mod tests;
