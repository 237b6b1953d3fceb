//! Every figure that causes rest on, as data: its name, its unit, how it is read and what is usual until it is learned.

/// Unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// A share: 1 is all of it.
    Ratio,
    /// Times a second.
    PerSecond,
    /// A number of things.
    Count,
}

impl Unit {
    /// Its symbol on the wire.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Seconds => "s",
            Self::Ratio => "ratio",
            Self::PerSecond => "1/s",
            Self::Count => "count",
        }
    }
}

/// How the value of a figure is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A total since boot, in seconds: what counts is its growth as a share of time.
    Total,
    /// What was true at the moment of the sample: it holds from the middle between two samples to the middle of the next.
    Moment,
    /// A mean over the sample's interval.
    Mean,
    /// Seconds spent on what ended within the sample's interval, as a share of it: they may have begun before.
    Spent,
    /// A size or length that the sample saw: of several samples the largest counts.
    Peak,
    /// No sample carries it: the judgement of a gap found it.
    Found,
}

macro_rules! figures {
    ($($figure:ident $name:literal $unit:ident $reading:ident $assumed:literal)*) => {
        /// A figure that speaks for or against a cause. Named as on the wire, see [`Figure::name`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the table below says what each is")]
        pub enum Figure {
            $($figure,)*
        }

        /// What is to be known of each figure, in their order.
        const TABLE: &[(Figure, &str, Unit, Reading, f32)] =
            &[$((Figure::$figure, $name, Unit::$unit, Reading::$reading, $assumed),)*];
    };
}

// The last column is what passes for usual on a healthy node until its own usual is known: nothing, where anything at all is
// remarkable. Totals come first and what no sample carries last: arrays of figures leave one or the other out.
figures! {
    PressureCpuSome         "pressure.cpu.some"                     Ratio Total 0.2
    PressureIoSome          "pressure.io.some"                      Ratio Total 0.1
    PressureIoFull          "pressure.io.full"                      Ratio Total 0.05
    PressureMemorySome      "pressure.memory.some"                  Ratio Total 0.0
    PressureMemoryFull      "pressure.memory.full"                  Ratio Total 0.0
    CgroupPressureCpuSome   "kubelet_cgroup.pressure.cpu.some"      Ratio Total 0.1
    CgroupPressureIoSome    "kubelet_cgroup.pressure.io.some"       Ratio Total 0.05
    CgroupPressureIoFull    "kubelet_cgroup.pressure.io.full"       Ratio Total 0.05
    CgroupPressureMemorySome "kubelet_cgroup.pressure.memory.some"  Ratio Total 0.0
    CgroupPressureMemoryFull "kubelet_cgroup.pressure.memory.full"  Ratio Total 0.0
    MachineSuspended        "machine.suspended"                     Ratio Total 0.0

    KubeletStopped          "kubelet_process.stopped"               Ratio Moment 0.0
    KubeletWaitsForIo       "kubelet_process.waits_for_io"          Ratio Moment 0.0
    MemoryAvailable         "memory.available"                      Ratio Moment 0.3
    RunnablePerCpu          "load.runnable_per_cpu"                 Count Moment 1.0

    AgentLateness           "agent.lateness"                        Ratio Mean 0.0
    CpuIowait               "cpu.iowait"                            Ratio Mean 0.05
    CpuSteal                "cpu.steal"                             Ratio Mean 0.02
    CpuUncounted            "cpu.uncounted"                         Ratio Mean 0.05
    MajorFaults             "memory.major_faults"                   PerSecond Mean 10.0
    DirectReclaims          "memory.direct_reclaims"                PerSecond Mean 0.0
    OomKills                "memory.oom_kills"                      PerSecond Mean 0.0
    DiskBusy                "disk.busy"                             Ratio Mean 0.3
    DiskStands              "disk.stands_still"                     Ratio Mean 0.0
    KubeletCpu              "kubelet_process.cpu"                   Count Mean 0.05
    KubeletRunQueueWait     "kubelet_process.run_queue_wait"        Ratio Mean 0.05
    KubeletMajorFaults      "kubelet_process.major_faults"          PerSecond Mean 1.0
    KubeletStill            "kubelet_process.uses_no_cpu"           Ratio Mean 0.0
    ThrottledPeriods        "kubelet_cgroup.throttled_periods"      Ratio Mean 0.0
    Throttled               "kubelet_cgroup.throttled"              Ratio Mean 0.0
    Retransmits             "network.retransmits"                   Ratio Mean 0.01
    TcpTimeouts             "network.timeouts"                      PerSecond Mean 0.0
    AgentRetransmits        "agent.network.retransmits"             Ratio Mean 0.01
    AgentTimeouts           "agent.network.timeouts"                PerSecond Mean 0.0
    KubeletUnanswered       "kubelet_metrics.unanswered"            Ratio Mean 0.0
    ApiUnanswered           "kubelet_metrics.api_unanswered"        Ratio Mean 0.0
    ApiSilent               "kubelet_metrics.api_silent"            Ratio Mean 0.0
    ApiRefused              "kubelet_metrics.api_refused"           Ratio Mean 0.0
    RuntimeFailed           "runtime.failed_calls"                  Ratio Mean 0.0

    ApiPutTime              "kubelet_metrics.api_put_time"          Ratio Spent 0.01

    DiskRequestTime         "disk.request_time"                     Seconds Peak 0.02
    RuntimeCall             "runtime.slowest_call"                  Seconds Peak 0.2
    RuntimeContainers       "runtime.containers"                    Count Peak 0.0
    RuntimeImages           "runtime.images"                        Count Peak 0.0
    RuntimeOperation        "kubelet_metrics.runtime_operation"     Seconds Peak 0.2
    PlegRelist              "kubelet_metrics.pleg_relist"           Seconds Peak 0.2
    ApiPut                  "kubelet_metrics.api_put"               Seconds Peak 0.05

    DeliveryDelay           "heartbeat.delivery_delay"              Seconds Found 0.0
    UncreditedRenewals      "heartbeat.uncredited_renewals"         Count Found 0.0
    ClockBehind             "clock.behind_credited_stamp"           Seconds Found 0.0
    KubeletGone             "kubelet_process.gone"                  Seconds Found 0.0
    AgentUnconnected        "agent.api_server_unreachable"          Seconds Found 0.0
    AgentRefused            "agent.api_server_errors"               Seconds Found 0.0
    MachineOff              "machine.off"                           Seconds Found 0.0
}

impl Figure {
    /// Figures that are totals since boot: the first ones.
    pub(crate) const TOTALS: usize = Self::KubeletStopped as usize;
    /// Figures of a moment: those that follow the totals.
    pub(crate) const MOMENTS: usize = Self::AgentLateness as usize - Self::TOTALS;
    /// Figures that a sample can carry: all but the last ones.
    pub(crate) const SAMPLED: usize = Self::DeliveryDelay as usize;

    /// Every figure, in order.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// Position in arrays of figures.
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The figure of this name. Absent: there is none.
    pub fn named(name: &str) -> Option<Self> {
        let row = TABLE.iter().find(|row| row.1 == name);
        row.map(|row| row.0)
    }

    /// Tells the figures of this version and their order from those of another: the FNV-1a hash of their names.
    pub fn layout() -> u32 {
        let bytes = Self::all().flat_map(|figure| figure.name().bytes().chain([0]));
        bytes.fold(0x811c_9dc5, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        })
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        TABLE[self.index()].1
    }

    /// Its unit.
    pub fn unit(self) -> Unit {
        TABLE[self.index()].2
    }

    /// How its value is to be taken.
    pub fn reading(self) -> Reading {
        TABLE[self.index()].3
    }

    /// True of a figure that healthy nodes show at times, or that says more of others than of the kubelet: alone it convinces
    /// nobody, however far off it is.
    pub const fn is_weak(self) -> bool {
        matches!(
            self,
            Self::KubeletUnanswered
                | Self::KubeletStill
                | Self::KubeletWaitsForIo
                | Self::AgentLateness
                | Self::DiskBusy
                | Self::TcpTimeouts
                | Self::Retransmits
                | Self::AgentRetransmits
                | Self::AgentTimeouts
        )
    }

    /// What passes for usual until the node's own usual is known.
    pub(crate) fn assumed(self) -> f32 {
        TABLE[self.index()].4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_the_order_that_arrays_of_them_rely_on() {
        for (index, figure) in Figure::all().enumerate() {
            assert_eq!(figure.index(), index);
            assert_eq!(Figure::named(figure.name()), Some(figure));
            assert_eq!(
                figure.reading() == Reading::Total,
                index < Figure::TOTALS,
                "{figure:?}"
            );
            assert_eq!(
                figure.reading() == Reading::Found,
                index >= Figure::SAMPLED,
                "{figure:?}"
            );
        }
        // One bit each.
        const { assert!(Figure::SAMPLED <= u64::BITS as usize) };
    }

    #[test]
    fn no_two_figures_share_a_name() {
        let mut names: Vec<&str> = Figure::all().map(Figure::name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
