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

fn controller(grace: Duration) -> [SettingsText; 2] {
    let grace = go_duration(grace);
    [
        SettingsText {
            place: "kube-controller-manager",
            text: format!("--node-monitor-grace-period={grace}\n"),
        },
        SettingsText {
            place: "kubeadm ClusterConfiguration",
            text: format!(
                "apiVersion: kubeadm.k8s.io/v1beta4\n\
                 kind: ClusterConfiguration\n\
                 controllerManager:\n  \
                   extraArgs:\n    \
                     - name: node-monitor-grace-period\n      \
                       value: {grace}\n"
            ),
        },
    ]
}

fn kubelet(grace: Duration, live: &LiveSettings) -> Option<SettingsText> {
    let lease = (!live.lease_fits(grace)).then(|| {
        let seconds = live.lease_for(grace).as_secs();
        format!("nodeLeaseDurationSeconds: {seconds}\n")
    });
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
