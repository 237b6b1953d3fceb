//! Takes a sample at every interval: reads the host's files, which answer at once, and takes what slow sources left.

use std::{sync::Arc, time::Duration};

use nodegrace_clock::Clock;
use nodegrace_proto::v1::{KubeletMetrics, Outcome, Runtime, Sample, Source, SourceReport};
use tokio_util::sync::CancellationToken;

use super::{
    KubeletServer, Missing, Reading, RuntimeSocket,
    host::{HostFiles, Meters},
    runtime::answered,
    slot::{Slot, Timed},
};
use crate::{config::Config, journal::Journal, moment::Moment, wire};

/// How much earlier slow sources ask than samples are taken, as a part of the interval: an answer that comes as usual is
/// fresh in the sample.
const HEAD_START: u32 = 5;

/// A series of samples: the rates of each cover the time since the one before.
#[derive(Debug, Default)]
struct Series {
    meters: Meters,
    /// When the last sample was taken, since boot.
    last: Option<Duration>,
}

impl Series {
    /// Takes the next sample of the host's files, which was planned for this moment.
    fn take(&mut self, host: &mut HostFiles, clock: &Clock, planned: Duration) -> Sample {
        let at = Moment::now(clock);
        let last = self.last.replace(at.monotonic);
        let mut sample = Sample {
            sample_monotonic: Some(wire::duration(at.monotonic)),
            sample_time: Some(wire::timestamp(at.wall)),
            interval: last.map(|last| wire::duration(at.monotonic.saturating_sub(last))),
            lateness: last.map(|_| wire::duration(at.monotonic.saturating_sub(planned))),
            suspended: Some(wire::duration(clock.suspended())),
            ..Sample::default()
        };
        host.read(&mut self.meters, clock, &mut sample);
        sample
    }
}

/// Takes the samples of one node.
pub(crate) struct Sampler {
    clock: Clock,
    journal: Arc<Journal>,
    interval: Duration,
    host: HostFiles,
    series: Series,
    runtime: Arc<Slot<Runtime>>,
    kubelet_metrics: Arc<Slot<KubeletMetrics>>,
    kubelet_config: Arc<Slot<()>>,
}

impl Sampler {
    pub(crate) fn new(
        config: &Config,
        clock: Clock,
        journal: Arc<Journal>,
        runtime: &RuntimeSocket,
        kubelet: &KubeletServer,
    ) -> Self {
        Self {
            clock,
            journal,
            interval: config.sample_interval,
            host: HostFiles::new(config),
            series: Series::default(),
            runtime: runtime.readings(),
            kubelet_metrics: kubelet.metrics(),
            kubelet_config: kubelet.config(),
        }
    }

    /// Takes samples until `shutdown`.
    pub(crate) async fn sample(mut self, shutdown: CancellationToken) {
        let mut next = self.clock.now() + self.interval / HEAD_START;
        while shutdown
            .run_until_cancelled(self.clock.sleep_until(next))
            .await
            .is_some()
        {
            let sample = self.take(next);
            self.journal.sample(sample);
            // A sample that came late, on a machine that was paused, is not made up for.
            next = self.clock.now().max(next + self.interval);
        }
    }

    fn take(&mut self, planned: Duration) -> Sample {
        let mut sample = self.series.take(&mut self.host, &self.clock, planned);
        let now = self.clock.now();
        sample.runtime = note_partial(
            &mut sample,
            Source::Runtime,
            self.runtime.take(now),
            answered,
        );
        sample.kubelet_metrics = note(
            &mut sample,
            Source::KubeletMetrics,
            self.kubelet_metrics.take(now),
        );
        note(
            &mut sample,
            Source::KubeletConfig,
            self.kubelet_config.take(now),
        );
        sample
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
    };
    note(sample, source, went);
    timed.reading.ok()
}

/// Notes in the sample how reading a source went. Returns what it gave.
pub(super) fn note<T>(sample: &mut Sample, source: Source, timed: Timed<T>) -> Option<T> {
    let (outcome, reason, value) = match timed.reading {
        Ok(value) => (Outcome::Ok, String::new(), Some(value)),
        Err(Missing::Absent(reason)) => (Outcome::Absent, reason, None),
        Err(Missing::Failed(reason)) => (Outcome::Error, reason, None),
    };
    sample.sources.push(SourceReport {
        source: source.into(),
        outcome: outcome.into(),
        reason: wire::clip(reason),
        took: timed.took.map(wire::duration),
    });
    value
}

#[cfg(test)]
mod tests {
    use nodegrace_proto::v1::RuntimeCall;

    use super::*;

    #[test]
    fn a_runtime_that_answered_nothing_is_an_error_that_tells_how_long_it_took() {
        let call = RuntimeCall {
            method: "Version".into(),
            took: Some(wire::duration(Duration::from_secs(2))),
            error: "no answer within 2 s".into(),
        };
        let timed = Timed {
            reading: Ok(Runtime {
                calls: vec![call.clone()],
                ..Runtime::default()
            }),
            took: Some(Duration::from_secs(2)),
        };
        let mut sample = Sample::default();
        let runtime = note_partial(&mut sample, Source::Runtime, timed, answered).unwrap();
        assert_eq!(runtime.calls, [call]);
        assert_eq!(sample.sources[0].outcome(), Outcome::Error);
        assert_eq!(sample.sources[0].reason, "Version: no answer within 2 s");
    }
}
