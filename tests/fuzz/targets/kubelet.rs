//! What the kubelet's server and the runtime answer, chosen by the first byte: two readings of /metrics, /configz, the three
//! lists of the runtime.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use nodegrace_agent::fuzzing;
use nodegrace_fuzz::{figures, parts};

fuzz_target!(|input: &[u8]| {
    let Some((kind, answers)) = input.split_first() else {
        return;
    };
    match kind % 3 {
        0 => metrics(answers),
        1 => {
            let text = String::from_utf8_lossy(answers);
            let _ = fuzzing::kubelet_settings(&text);
        }
        _ => runtime(answers),
    }
});

fn metrics(answers: &[u8]) {
    let mut texts = parts(answers).map(String::from_utf8_lossy);
    let (Some(first), Some(second)) = (texts.next(), texts.next()) else {
        return;
    };
    let metrics = fuzzing::kubelet_metrics(&first, &second, Duration::from_secs(10));
    figures::amount("cores", metrics.cpu_cores.unwrap_or_default());
}

/// Each list with its length in two bytes before it.
fn runtime(answers: &[u8]) {
    let mut rest = answers;
    let mut list = || {
        let Some((length, after)) = rest.split_first_chunk() else {
            return &[][..];
        };
        let length = usize::from(u16::from_le_bytes(*length)).min(after.len());
        let list;
        (list, rest) = after.split_at(length);
        list
    };
    let Ok(seen) = fuzzing::runtime(list(), list(), list()) else {
        return;
    };
    assert!(seen.running_containers <= seen.containers);
    assert!(seen.ready_pod_sandboxes <= seen.pod_sandboxes);
}
