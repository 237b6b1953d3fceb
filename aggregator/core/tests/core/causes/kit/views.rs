//! Hosts of which less is seen, or that beat otherwise.

use nodegrace_core::{
    cause::{Figure, Source, Sources},
    event::Channel,
};

use super::Host;
use crate::kit::Agent;

impl Host {
    /// A node without a Lease: its Node status alone keeps it ready.
    pub(crate) fn without_lease() -> Self {
        let mut host = Self::new();
        host.agent = Agent::without_lease("boot-1", 990.0);
        host.channel = Channel::NodeStatus;
        host
    }

    /// An agent that sees nothing but what the kubelet's metrics say.
    pub(crate) fn restricted() -> Self {
        let mut host = Self::new();
        host.sources = Sources::NONE;
        host.sources.add(Source::KubeletMetrics);
        host.process_start = None;
        host.fine = false;
        let of_metrics = |figure: &Figure| figure.name().starts_with("kubelet_metrics.");
        host.ordinary.retain(|figure, _| of_metrics(figure));
        host
    }

    /// An agent as it is deployed by default: it sees the kubelet's metrics, the host's stalls and its own network.
    pub(crate) fn in_a_pod() -> Self {
        let mut host = Self::new();
        host.process_start = None;
        host.sources = Sources::NONE;
        for source in [Source::KubeletMetrics, Source::Pressure, Source::Network] {
            host.sources.add(source);
        }
        let of_pod = ["kubelet_metrics.", "pressure."];
        host.ordinary.retain(|figure, _| {
            of_pod
                .iter()
                .any(|source| figure.name().starts_with(source))
        });
        host.usually(Figure::AgentTimeouts, 0.0)
            .usually(Figure::AgentRetransmits, 0.002)
    }

    /// An agent that takes no samples at all.
    pub(crate) fn blindfolded() -> Self {
        let mut host = Self::restricted();
        host.sources = Sources::NONE;
        host.ordinary.clear();
        host
    }
}
