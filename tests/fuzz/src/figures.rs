//! Whether what is answered makes sense: every figure a number, every share within its bounds.

use nodegrace_proto::v1::{
    ExpectedFlips, GetFleetRequest, ListGapsRequest, Node, RecommendRequest, Sample,
    SimulateGraceRequest, query_server::Query,
};
use tonic::Request;

/// A figure that is zero or more.
///
/// # Panics
/// When it is not.
pub fn amount(what: &str, figure: f64) {
    assert!(figure.is_finite() && figure >= 0.0, "{what}: {figure}");
}

/// A share of a whole, or a probability.
///
/// # Panics
/// When it is below 0 or above 1.
pub fn share(what: &str, figure: f64) {
    // Sums of shares round.
    assert!((0.0..=1.0 + 1e-9).contains(&figure), "{what}: {figure}");
}

fn flips(what: &str, flips: &ExpectedFlips) {
    amount(what, flips.expected);
    amount(what, flips.per_day);
    amount(what, flips.per_day_lower);
    amount(what, flips.per_day_upper);
    assert!(
        flips.per_day_lower <= flips.per_day_upper,
        "{what}: {flips:?}"
    );
}

/// Checks the figures of a node.
///
/// # Panics
/// When one makes no sense.
pub fn check_node(node: &Node) {
    if let Some(expected) = &node.expected_flips {
        flips("expected flips", expected);
    }
    if let Some(gap) = &node.running_gap {
        share("probability of a flip now", gap.flip_probability_now);
        if let Some(at_end) = gap.flip_probability_at_end {
            share("probability of a flip at the end", at_end);
        }
    }
    if let Some(margin) = &node.margin {
        assert!(margin.p99_ratio.is_finite(), "{margin:?}");
    }
}

/// Asks everything about the whole fleet that can be asked, and checks the answers.
///
/// # Panics
/// When one makes no sense.
pub async fn check_fleet(queries: &impl Query) {
    let fleet = queries.get_fleet(Request::new(GetFleetRequest {})).await;
    let fleet = fleet.expect("totals").into_inner();
    if let Some(expected) = &fleet.expected_flips {
        flips("expected flips of the fleet", expected);
    }
    let states: u64 = fleet.states.iter().map(|state| state.nodes).sum();
    assert!(fleet.nodes <= states, "{fleet:?}");
    let gaps = queries.list_gaps(Request::new(ListGapsRequest::default()));
    gaps.await.expect("gaps");
    let simulated = queries.simulate_grace(Request::new(SimulateGraceRequest::default()));
    simulated.await.expect("outcomes");
    let recommended = queries.recommend(Request::new(RecommendRequest::default()));
    recommended.await.expect("a recommendation");
}

/// Checks the figures that sources put into a sample.
///
/// # Panics
/// When one makes no sense.
pub fn check_sample(sample: &Sample) {
    if let Some(load) = &sample.load {
        amount("load1", load.load1);
        amount("load5", load.load5);
        amount("load15", load.load15);
    }
    if let Some(cpu) = &sample.cpu {
        let shares = [
            cpu.user_ratio,
            cpu.system_ratio,
            cpu.iowait_ratio,
            cpu.steal_ratio,
            cpu.idle_ratio,
        ];
        shares
            .iter()
            .for_each(|figure| share("a share of CPU time", *figure));
        let sum: f64 = shares.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "shares of CPU time: {shares:?}");
    }
    let pressure = sample.pressure.iter();
    let stalls = pressure.flat_map(|pressure| [&pressure.cpu, &pressure.io, &pressure.memory]);
    for stall in stalls.flatten() {
        amount("some avg10", stall.some_avg10_ratio);
        amount("some avg60", stall.some_avg60_ratio);
        amount("full avg10", stall.full_avg10_ratio.unwrap_or_default());
    }
    if let Some(memory) = &sample.memory {
        let faults = memory.major_faults_per_second.unwrap_or_default();
        amount("major faults", faults);
        let reclaims = memory.direct_reclaims_per_second.unwrap_or_default();
        amount("direct reclaims", reclaims);
    }
    for disk in &sample.disks {
        share("busy", disk.busy_ratio);
        amount("queue", disk.mean_queue);
        amount("read", disk.read_bytes_per_second);
        amount("written", disk.written_bytes_per_second);
    }
    if let Some(kubelet) = &sample.kubelet_process {
        amount("cores", kubelet.cpu_cores.unwrap_or_default());
        let faults = kubelet.major_faults_per_second.unwrap_or_default();
        amount("faults of the kubelet", faults);
        let wait = kubelet.run_queue_wait_ratio.unwrap_or_default();
        amount("wait on run queues", wait);
    }
    if let Some(cgroup) = &sample.kubelet_cgroup {
        amount("limit", cgroup.cpu_limit_cores.unwrap_or_default());
        let periods = cgroup.throttled_periods_ratio.unwrap_or_default();
        share("throttled periods", periods);
        amount("throttled", cgroup.throttled_ratio.unwrap_or_default());
    }
    if let Some(network) = &sample.network {
        amount("segments", network.segments_per_second);
        amount("retransmits", network.retransmits_per_second);
        amount("timeouts", network.timeouts_per_second.unwrap_or_default());
    }
}
