//! The latest sample of a node, kept as it travels: few ask for all of it, and some thirty texts and lists of every node would lie about
//! in memory, each by itself.

use nodegrace_proto::v1;
use prost::Message as _;

/// A sample that was found right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LatestSample {
    encoded: Box<[u8]>,
    running_pods: Option<u32>,
}

impl LatestSample {
    /// Keeps `sample`.
    pub(crate) fn of(sample: &v1::Sample) -> Self {
        let kubelet = sample.kubelet_metrics.as_ref();
        let runtime = sample.runtime.as_ref();
        Self {
            encoded: sample.encode_to_vec().into(),
            running_pods: kubelet
                .and_then(|kubelet| kubelet.running_pods)
                .or(runtime.and_then(|runtime| runtime.ready_pod_sandboxes)),
        }
    }

    /// All that it says.
    pub(crate) fn message(&self) -> v1::Sample {
        v1::Sample::decode(&*self.encoded).expect("it was encoded here")
    }

    /// The pods that ran on the node. Absent: it does not say.
    pub(crate) const fn running_pods(&self) -> Option<u32> {
        self.running_pods
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(told: Option<u32>, ready: Option<u32>) -> v1::Sample {
        v1::Sample {
            sequence_number: 7,
            kubelet_metrics: told.map(|pods| v1::KubeletMetrics {
                running_pods: Some(pods),
                ..v1::KubeletMetrics::default()
            }),
            runtime: ready.map(|pods| v1::Runtime {
                ready_pod_sandboxes: Some(pods),
                ..v1::Runtime::default()
            }),
            ..v1::Sample::default()
        }
    }

    #[test]
    fn all_of_it_is_kept() {
        let said = sample(Some(38), Some(40));
        assert_eq!(LatestSample::of(&said).message(), said);
    }

    #[test]
    fn pods_are_told_by_the_kubelet_else_by_the_runtime_else_not() {
        let pods = |told, ready| LatestSample::of(&sample(told, ready)).running_pods();
        assert_eq!(pods(Some(38), Some(40)), Some(38));
        assert_eq!(pods(None, Some(40)), Some(40));
        assert_eq!(pods(None, None), None);
    }
}
