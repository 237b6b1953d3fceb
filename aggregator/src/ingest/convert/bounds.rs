//! Bounds on the texts and lists within the parts of a batch: what is kept of each node, sorted by, and shown.

use nodegrace_proto::v1;

use crate::ingest::{fields, invalid::Invalid, limits::MAX_ENTRIES};

/// Checks the texts of a Node object's facts.
pub(super) fn facts(facts: &v1::NodeFacts) -> Result<(), Invalid> {
    for (field, text) in [
        ("kubelet_version", &facts.kubelet_version),
        (
            "container_runtime_version",
            &facts.container_runtime_version,
        ),
        ("kernel_version", &facts.kernel_version),
        ("os_image", &facts.os_image),
        ("uid", &facts.uid),
        ("zone", &facts.zone),
        ("region", &facts.region),
        ("instance_type", &facts.instance_type),
    ] {
        fields::short(field, text)?;
    }
    Ok(())
}

/// Checks what a kubelet reserves, by resource name.
pub(super) fn settings(settings: &v1::KubeletSettings) -> Result<(), Invalid> {
    for (field, reserved) in [
        ("kube_reserved", &settings.kube_reserved),
        ("system_reserved", &settings.system_reserved),
    ] {
        few(field, reserved.len())?;
        for (resource, amount) in reserved {
            fields::short(field, resource)?;
            fields::short(field, amount)?;
        }
    }
    Ok(())
}

/// Checks the texts and lists of a sample.
pub(super) fn sample(sample: &v1::Sample) -> Result<(), Invalid> {
    each("sources", &sample.sources, |source| [&source.reason, ""])?;
    each("disks", &sample.disks, |disk| [&disk.device, ""])?;
    if let Some(process) = &sample.kubelet_process {
        fields::short("kubelet_process.state", &process.state)?;
        fields::short("kubelet_process.program", &process.program)?;
    }
    if let Some(group) = &sample.kubelet_cgroup {
        fields::short("kubelet_cgroup.path", &group.path)?;
    }
    if let Some(runtime) = &sample.runtime {
        fields::short("runtime.runtime_name", &runtime.runtime_name)?;
        fields::short("runtime.runtime_version", &runtime.runtime_version)?;
        each("runtime.calls", &runtime.calls, |call| {
            [&call.method, &call.error]
        })?;
    }
    if let Some(metrics) = &sample.kubelet_metrics {
        each(
            "kubelet_metrics.runtime_operations",
            &metrics.runtime_operations,
            |operation| [&operation.operation, ""],
        )?;
    }
    Ok(())
}

/// Checks a list, and two texts of each of its entries.
fn each<'a, T>(
    field: &str,
    list: &'a [T],
    texts: impl Fn(&'a T) -> [&'a str; 2],
) -> Result<(), Invalid> {
    few(field, list.len())?;
    for text in list.iter().flat_map(texts) {
        fields::short(field, text)?;
    }
    Ok(())
}

fn few(field: &str, entries: usize) -> Result<(), Invalid> {
    if entries > MAX_ENTRIES {
        let problem = format!("has more than {MAX_ENTRIES} entries");
        return Err(Invalid::new(field, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_or_too_much_is_refused_by_its_field() {
        let long = || "x".repeat(257);
        let facts = v1::NodeFacts {
            zone: long(),
            ..v1::NodeFacts::default()
        };
        assert_eq!(super::facts(&facts).unwrap_err().field, "zone");

        let settings = v1::KubeletSettings {
            kube_reserved: [("cpu".to_owned(), long())].into(),
            ..v1::KubeletSettings::default()
        };
        let refused = super::settings(&settings).unwrap_err();
        assert_eq!(refused.field, "kube_reserved");

        let runtime = |runtime| v1::Sample {
            runtime: Some(runtime),
            ..v1::Sample::default()
        };
        let call = v1::RuntimeCall {
            error: long(),
            ..v1::RuntimeCall::default()
        };
        for (sample, field) in [
            (
                v1::Sample {
                    disks: vec![v1::Disk::default(); 65],
                    ..v1::Sample::default()
                },
                "disks",
            ),
            (
                v1::Sample {
                    sources: vec![v1::SourceReport {
                        reason: long(),
                        ..v1::SourceReport::default()
                    }],
                    ..v1::Sample::default()
                },
                "sources",
            ),
            (
                runtime(v1::Runtime {
                    runtime_name: long(),
                    ..v1::Runtime::default()
                }),
                "runtime.runtime_name",
            ),
            (
                runtime(v1::Runtime {
                    calls: vec![call],
                    ..v1::Runtime::default()
                }),
                "runtime.calls",
            ),
        ] {
            assert_eq!(super::sample(&sample).unwrap_err().field, field);
        }
        let full = v1::Sample {
            disks: vec![v1::Disk::default(); 64],
            ..v1::Sample::default()
        };
        assert_eq!(super::sample(&full), Ok(()));
    }
}
