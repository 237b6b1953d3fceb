//! The channels of a node, and what its kubelet is set to.

use nodegrace_proto::v1;

use crate::show::{
    figure,
    screen::Screen,
    section::{entries, title},
    table::{Column, Form, Shown, table},
};

const CHANNELS: &[Column<v1::ChannelFigures>] = &[
    Column::text("CHANNEL", |figures, _| {
        figure::channel(figures.channel()).into()
    }),
    Column::text("SEEN", |figures, _| visibility(figures).into()),
    Column::figure("HEARTBEATS", |figures, _| {
        figures.heartbeats.to_string().into()
    }),
    Column::figure("PERIOD-P50", |figures, _| {
        figure::seconds(figures.period.and_then(|period| period.p50)).into()
    }),
    Column::figure("P99", |figures, _| {
        figure::seconds(figures.period.and_then(|period| period.p99)).into()
    }),
    Column::figure("DELIVERY-P99", |figures: &v1::ChannelFigures, _| {
        figure::seconds(figures.delivery_delay.and_then(|delay| delay.p99)).into()
    })
    .shown(Shown::WithRoom(3)),
    Column::figure("UNCREDITED", |figures: &v1::ChannelFigures, _| {
        figures.uncredited_renewals.to_string().into()
    })
    .shown(Shown::WithRoom(1)),
    Column::text("LAST-ARRIVAL", |figures: &v1::ChannelFigures, _| {
        figure::moment(figures.last_arrival_time).into()
    })
    .shown(Shown::WithRoom(2)),
];

/// The figures of each channel.
pub(super) fn channels(node: &v1::Node, screen: &Screen) -> String {
    if node.channels.is_empty() {
        return String::new();
    }
    let form = Form {
        wide: false,
        titles: true,
    };
    title("Channels", screen) + &table(CHANNELS, &node.channels, form, screen)
}

fn visibility(figures: &v1::ChannelFigures) -> String {
    let view = figures.view.as_ref().map(v1::ChannelView::visibility);
    view.map_or_else(figure::unknown, |seen| {
        figure::name(seen.as_str_name(), "VISIBILITY_")
    })
}

/// What is known of the node's settings, each by its own name.
pub(super) fn settings(node: &v1::Node, screen: &Screen) -> String {
    let facts = node.facts.clone().unwrap_or_default();
    let set = node.kubelet_settings.clone().unwrap_or_default();
    let number = |value: Option<String>| value.unwrap_or_else(figure::unknown);
    let percent = set.image_gc_high_threshold_percent;
    let all = [
        ("kubelet", figure::text(&facts.kubelet_version)),
        ("runtime", figure::text(&facts.container_runtime_version)),
        ("kernel", figure::text(&facts.kernel_version)),
        ("machine", figure::text(&machine(&facts))),
        (
            "nodeLeaseDurationSeconds",
            figure::setting(set.node_lease_duration),
        ),
        (
            "nodeStatusUpdateFrequency",
            figure::setting(set.node_status_update_frequency),
        ),
        (
            "nodeStatusReportFrequency",
            figure::setting(set.node_status_report_frequency),
        ),
        (
            "nodeStatusMaxImages",
            number(set.node_status_max_images.map(|max| max.to_string())),
        ),
        ("maxPods", number(set.max_pods.map(|max| max.to_string()))),
        (
            "runtimeRequestTimeout",
            figure::setting(set.runtime_request_timeout),
        ),
        (
            "imageGCHighThresholdPercent",
            number(percent.map(|percent| percent.to_string())),
        ),
    ];
    title("Settings", screen) + &entries(&all, screen)
}

/// Where and what the machine is, by its labels.
fn machine(facts: &v1::NodeFacts) -> String {
    let labels = [
        &facts.instance_type,
        &facts.region,
        &facts.zone,
        &facts.os_image,
    ];
    let known: Vec<&str> = labels
        .into_iter()
        .map(String::as_str)
        .filter(|label| !label.is_empty())
        .collect();
    known.join(", ")
}
