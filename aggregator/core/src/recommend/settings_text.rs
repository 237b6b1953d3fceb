//! The recommended settings as text to paste.

use std::time::Duration;

use super::{LiveSettings, SettingsText};
use crate::{controller::ControllerSettings, what_if::WhatIf};

/// The settings that differ from the present ones.
pub(super) fn settings(
    present: &ControllerSettings,
    recommended: Option<&WhatIf>,
    live: &LiveSettings,
) -> Vec<SettingsText> {
    let grace = recommended.map(|what_if| what_if.candidate.grace_period);
    let mut texts = Vec::new();
    if let Some(grace) = grace.filter(|grace| *grace != present.grace_period) {
        texts.extend(controller(grace));
    }
    let judged = grace.unwrap_or(present.grace_period);
    texts.extend(kubelet(judged, live));
    texts
}

fn controller(grace: Duration) -> [SettingsText; 3] {
    let grace = go_duration(grace);
    let kubeadm = |place, version, argument: String| SettingsText {
        place,
        text: format!(
            "apiVersion: kubeadm.k8s.io/{version}\n\
             kind: ClusterConfiguration\n\
             controllerManager:\n  \
               extraArgs:\n    \
                 {argument}\n"
        ),
    };
    [
        SettingsText {
            place: "kube-controller-manager",
            text: format!("--node-monitor-grace-period={grace}\n"),
        },
        kubeadm(
            "kubeadm ClusterConfiguration",
            "v1beta4",
            format!("- name: node-monitor-grace-period\n      value: {grace}"),
        ),
        kubeadm(
            "kubeadm ClusterConfiguration, before Kubernetes 1.31",
            "v1beta3",
            format!("node-monitor-grace-period: {grace}"),
        ),
    ]
}

fn kubelet(grace: Duration, live: &LiveSettings) -> Option<SettingsText> {
    let lease = live.lease_for(grace).filter(|_| !live.lease_fits(grace));
    let lease = lease.map(|lease| format!("nodeLeaseDurationSeconds: {}\n", lease.as_secs()));
    let report = (!live.report_fits()).then(|| "nodeStatusReportFrequency: 5m\n".to_owned());
    let lines: String = [lease, report].into_iter().flatten().collect();
    let head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
    (!lines.is_empty()).then(|| SettingsText {
        place: "KubeletConfiguration",
        text: format!("{head}{lines}"),
    })
}

/// A duration as Go's flags take it.
fn go_duration(duration: Duration) -> String {
    if duration.subsec_nanos() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}
