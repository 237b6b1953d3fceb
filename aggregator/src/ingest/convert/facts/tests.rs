//! What samples say in the core's form.

use std::time::Duration;

use nodegrace_core::cause::Figure;

use super::*;

fn said(sample: &v1::Sample, figure: Figure) -> Option<f64> {
    said_after(sample, figure, 1)
}

/// What is known of a sample that is sent so many seconds after it was taken.
fn said_after(sample: &v1::Sample, figure: Figure, seconds: u64) -> Option<f64> {
    let wall = WallTime::from_unix_nanos(0);
    let at = Duration::from_secs(100);
    let facts = facts(sample, at, wall, at + Duration::from_secs(seconds));
    facts.figures.get(figure)
}

/// A sample whose question for the kubelet's metrics failed like this.
fn failed(failure: v1::Failure) -> v1::Sample {
    let report = v1::SourceReport {
        source: v1::Source::KubeletMetrics.into(),
        outcome: v1::Outcome::Error.into(),
        failure: failure.into(),
        ..v1::SourceReport::default()
    };
    v1::Sample {
        sources: vec![report],
        ..v1::Sample::default()
    }
}

#[test]
fn a_kubelet_that_refuses_to_tell_its_metrics_did_answer() {
    let unanswered = |failure| said(&failed(failure), Figure::KubeletUnanswered);
    assert_eq!(unanswered(v1::Failure::Timeout), Some(1.0));
    assert_eq!(unanswered(v1::Failure::Connection), Some(1.0));
    assert_eq!(unanswered(v1::Failure::Forbidden), Some(0.0));
    assert_eq!(unanswered(v1::Failure::ServerError), Some(0.0));
    assert_eq!(unanswered(v1::Failure::Unspecified), None);
}

#[test]
fn a_kubelet_that_was_not_asked_again_says_nothing_of_its_answering() {
    let sample = |told_before| v1::Sample {
        kubelet_metrics: Some(v1::KubeletMetrics {
            told_before,
            ..v1::KubeletMetrics::default()
        }),
        ..v1::Sample::default()
    };
    assert_eq!(said(&sample(false), Figure::KubeletUnanswered), Some(0.0));
    assert_eq!(said(&sample(true), Figure::KubeletUnanswered), None);
}

#[test]
fn a_tick_that_was_not_counted_is_no_machine_that_stood_still() {
    let uncounted = |counted_ratio, seconds| {
        let sample = v1::Sample {
            cpu: Some(v1::CpuShares {
                interval: Some(prost_types::Duration { seconds, nanos: 0 }),
                counted_ratio: Some(counted_ratio),
                ..v1::CpuShares::default()
            }),
            ..v1::Sample::default()
        };
        said(&sample, Figure::CpuUncounted)
    };
    assert_eq!(uncounted(0.985, 1), Some(0.0));
    assert_eq!(uncounted(1.02, 1), Some(0.0));
    assert_eq!(uncounted(0.5, 1), Some(0.5));
    assert_eq!(
        uncounted(0.9, 10).map(|ratio| (ratio * 100.0).round()),
        Some(10.0)
    );
}

#[test]
fn what_the_agents_own_namespace_lost_while_the_aggregator_was_away_says_nothing() {
    let sample = |host| v1::Sample {
        network: Some(v1::Network {
            host,
            segments_per_second: 10.0,
            retransmits_per_second: 1.0,
            timeouts_per_second: Some(0.5),
        }),
        ..v1::Sample::default()
    };
    let of_host = [Figure::TcpTimeouts, Figure::Retransmits];
    let of_agent = [Figure::AgentTimeouts, Figure::AgentRetransmits];
    let told = |figures: [Figure; 2], host, after| {
        figures.map(|figure| said_after(&sample(host), figure, after))
    };
    let known = [Some(0.5), Some(f64::from(0.1_f32))];
    assert_eq!(told(of_host, true, 1), known);
    assert_eq!(told(of_host, true, 40), known);
    assert_eq!(told(of_agent, true, 1), [None; 2]);
    assert_eq!(told(of_agent, false, 1), known);
    assert_eq!(told(of_host, false, 1), [None; 2]);
    assert_eq!(told(of_agent, false, 40), [None; 2], "it waited to be sent");
}

#[test]
fn what_no_machine_does_is_not_believed() {
    for value in [f64::NAN, f64::INFINITY, 1e300, -1.0] {
        let sample = v1::Sample {
            memory: Some(v1::Memory {
                major_faults_per_second: Some(value),
                ..v1::Memory::default()
            }),
            ..v1::Sample::default()
        };
        assert_eq!(said(&sample, Figure::MajorFaults), None, "{value}");
    }
}

#[test]
fn the_kubelets_count_of_its_renewals_needs_both_its_times() {
    let second = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let renewals = |asked_monotonic| {
        let count = v1::RenewalCount {
            asked_monotonic,
            answered_monotonic: second(12),
            renewals: 40,
        };
        let sample = v1::Sample {
            kubelet_metrics: Some(v1::KubeletMetrics {
                renewals: Some(count),
                ..v1::KubeletMetrics::default()
            }),
            ..v1::Sample::default()
        };
        let wall = WallTime::from_unix_nanos(0);
        facts(
            &sample,
            Duration::from_secs(100),
            wall,
            Duration::from_secs(100),
        )
        .renewals
    };
    let expected = Count {
        asked: Duration::from_secs(11),
        answered: Duration::from_secs(12),
        renewals: 40,
    };
    assert_eq!(renewals(second(11)), Some(expected));
    assert_eq!(renewals(None), None);
}
