//! A series of samples: the rates of each cover the time since the one before.

use std::time::Duration;

use nodegrace_clock::Clock;
use nodegrace_proto::v1::Sample;

use super::host::{HostFiles, Meters};
use crate::{moment::Moment, wire};

/// One series of samples of the host's files.
#[derive(Debug)]
pub struct Series {
    fine: bool,
    meters: Meters,
    /// When the last sample was taken, since boot.
    last: Option<Duration>,
}

impl Series {
    /// The series of the samples that are taken all the time.
    pub fn usual() -> Self {
        Self {
            fine: false,
            meters: Meters::default(),
            last: None,
        }
    }

    /// A series of the samples that are taken while a heartbeat is awaited.
    pub fn fine() -> Self {
        Self {
            fine: true,
            ..Self::usual()
        }
    }

    /// Takes the next sample. `planned`: the moment for which it was planned, if it was.
    pub fn take(
        &mut self,
        host: &mut HostFiles,
        clock: &Clock,
        planned: Option<Duration>,
    ) -> Sample {
        let at = Moment::now(clock);
        let last = self.last.replace(at.monotonic);
        let planned = planned.filter(|_| last.is_some());
        let mut sample = Sample {
            sample_monotonic: Some(wire::duration(at.monotonic)),
            sample_time: Some(wire::timestamp(at.wall)),
            fine: self.fine,
            interval: last.map(|last| wire::duration(at.monotonic.saturating_sub(last))),
            lateness: planned.map(|planned| wire::duration(at.monotonic.saturating_sub(planned))),
            suspended: Some(wire::duration(clock.suspended())),
            ..Sample::default()
        };
        host.read(&mut self.meters, clock, &mut sample);
        sample
    }
}
