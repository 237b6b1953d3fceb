//! The kubelet's /configz: the settings that decide how often it beats, and those that act on the causes of lateness.

use std::{collections::BTreeMap, time::Duration};

use nodegrace_proto::v1::{Failure, KubeletSettings};
use serde::{Deserialize, Deserializer};

use super::{Missing, Reading};
use crate::wire;

#[derive(Deserialize)]
struct Configz {
    kubeletconfig: KubeletConfiguration,
}

/// The part of `kubelet.config.k8s.io/v1beta1` `KubeletConfiguration` that is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KubeletConfiguration {
    #[serde(deserialize_with = "go_duration")]
    node_status_update_frequency: Option<Duration>,
    #[serde(deserialize_with = "go_duration")]
    node_status_report_frequency: Option<Duration>,
    node_lease_duration_seconds: Option<u32>,
    node_status_max_images: Option<i32>,
    max_pods: Option<u32>,
    #[serde(deserialize_with = "go_duration")]
    runtime_request_timeout: Option<Duration>,
    serialize_image_pulls: Option<bool>,
    #[serde(rename = "imageGCHighThresholdPercent")]
    image_gc_high_threshold_percent: Option<u32>,
    #[serde(rename = "imageGCLowThresholdPercent")]
    image_gc_low_threshold_percent: Option<u32>,
    kube_reserved: Option<BTreeMap<String, String>>,
    system_reserved: Option<BTreeMap<String, String>>,
}

pub(super) fn parse(text: &str) -> Reading<KubeletSettings> {
    let configz: Configz = serde_json::from_str(text)
        .map_err(|error| Missing::Unanswered(Failure::Unreadable, format!("configz: {error}")))?;
    let config = configz.kubeletconfig;
    Ok(KubeletSettings {
        node_status_update_frequency: config.node_status_update_frequency.map(wire::duration),
        node_status_report_frequency: config.node_status_report_frequency.map(wire::duration),
        node_lease_duration: config
            .node_lease_duration_seconds
            .map(|seconds| wire::duration(Duration::from_secs(seconds.into()))),
        node_status_max_images: config.node_status_max_images,
        max_pods: config.max_pods,
        runtime_request_timeout: config.runtime_request_timeout.map(wire::duration),
        serialize_image_pulls: config.serialize_image_pulls,
        image_gc_high_threshold_percent: config.image_gc_high_threshold_percent,
        image_gc_low_threshold_percent: config.image_gc_low_threshold_percent,
        kube_reserved: config.kube_reserved.into_iter().flatten().collect(),
        system_reserved: config.system_reserved.into_iter().flatten().collect(),
    })
}

/// A duration as Go writes it: "10s", "5m0s". One that is written otherwise is unknown.
fn go_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.and_then(|text| humantime::parse_duration(&text).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_what_is_missing_is_unknown() {
        let settings = parse(
            r#"{"kubeletconfig":{"nodeStatusUpdateFrequency":"10s","nodeStatusReportFrequency":"5m0s",
                "nodeLeaseDurationSeconds":40,"nodeStatusMaxImages":-1,"imageGCHighThresholdPercent":85,
                "runtimeRequestTimeout":"2m0s","kubeReserved":{"cpu":"100m"},"evictionHard":{"x":"y"}}}"#,
        )
        .unwrap();
        assert_eq!(settings.node_status_update_frequency.unwrap().seconds, 10);
        assert_eq!(settings.node_status_report_frequency.unwrap().seconds, 300);
        assert_eq!(settings.node_lease_duration.unwrap().seconds, 40);
        assert_eq!(settings.node_status_max_images, Some(-1));
        assert_eq!(settings.image_gc_high_threshold_percent, Some(85));
        assert_eq!(settings.kube_reserved["cpu"], "100m");
        assert_eq!(
            (settings.max_pods, settings.serialize_image_pulls),
            (None, None)
        );
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        assert!(parse("<html>").is_err());
        assert!(parse(r#"{"kubeletconfig":{"nodeStatusUpdateFrequency":"soon"}}"#).is_ok());
    }
}
