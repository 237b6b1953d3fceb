//! The parts of a batch that are no records: channel views, facts, settings, losses.

use std::sync::Arc;

use nodegrace_core::{
    Losses,
    event::{ChannelView, Rhythm, Visibility},
};
use nodegrace_proto::v1;

use super::{
    bounds,
    record::{blind_reason, channel},
};
use crate::{
    ingest::{fields, invalid::Invalid, limits::MAX_COUNT},
    wire,
};

/// The view of a channel; none while the agent has not looked at it yet.
pub(super) fn view(view: &v1::ChannelView) -> Result<Option<ChannelView>, Invalid> {
    let channel = channel(view.channel)?;
    fields::text("message", &view.message)?;
    let visibility = match v1::Visibility::try_from(view.visibility) {
        Ok(v1::Visibility::Unspecified) => return Ok(None),
        Ok(v1::Visibility::Observed) => Visibility::Observed,
        Ok(v1::Visibility::Absent) => Visibility::Absent,
        Ok(v1::Visibility::Blind) => {
            blind_reason(view.reason)?;
            let since = fields::duration("blind_since_monotonic", view.blind_since_monotonic)?;
            Visibility::Blind { since }
        }
        Err(_) => {
            let reason = "must be OBSERVED, ABSENT or BLIND";
            return Err(Invalid::new("visibility", reason));
        }
    };
    Ok(Some(ChannelView {
        channel,
        visibility,
    }))
}

/// The Node object's facts.
pub(super) fn facts(facts: v1::NodeFacts) -> Result<v1::NodeFacts, Invalid> {
    let checked = fields::size(&facts).and_then(|()| bounds::facts(&facts));
    checked.map_err(|invalid| invalid.within("node_facts"))?;
    Ok(facts)
}

/// uid of the Node object; none when the object did not say or is missing.
pub(super) fn uid(facts: &v1::NodeFacts) -> Option<Arc<str>> {
    (!facts.uid.is_empty()).then(|| Arc::from(facts.uid.as_str()))
}

/// The kubelet's settings.
pub(super) fn settings(settings: v1::KubeletSettings) -> Result<v1::KubeletSettings, Invalid> {
    let check = || {
        fields::size(&settings)?;
        bounds::settings(&settings)?;
        for (field, value) in [
            (
                "node_status_update_frequency",
                settings.node_status_update_frequency,
            ),
            (
                "node_status_report_frequency",
                settings.node_status_report_frequency,
            ),
            ("node_lease_duration", settings.node_lease_duration),
            ("runtime_request_timeout", settings.runtime_request_timeout),
        ] {
            fields::optional_duration(field, value)?;
        }
        Ok(())
    };
    check().map_err(|invalid: Invalid| invalid.within("kubelet_settings"))?;
    Ok(settings)
}

/// How often the kubelet means to beat, by its settings, whose lengths were found right.
pub(super) fn rhythm(settings: &v1::KubeletSettings) -> Rhythm {
    let length = |length: Option<_>| length.and_then(|length| wire::duration(length).ok());
    Rhythm {
        lease_duration: length(settings.node_lease_duration),
        status_update: length(settings.node_status_update_frequency),
        status_report: length(settings.node_status_report_frequency),
    }
}

/// What the agent dropped.
pub(super) fn losses(losses: &v1::Losses) -> Result<Losses, Invalid> {
    for (field, count) in [
        ("dropped_heartbeats", losses.dropped_heartbeats),
        ("dropped_samples", losses.dropped_samples),
        ("dropped_others", losses.dropped_others),
        ("rejected_records", losses.rejected_records),
    ] {
        if count > MAX_COUNT {
            return Err(Invalid::new(field, "is out of range").within("losses"));
        }
    }
    Ok(Losses {
        dropped_heartbeats: losses.dropped_heartbeats,
        dropped_samples: losses.dropped_samples,
        dropped_others: losses.dropped_others,
        rejected_records: losses.rejected_records,
    })
}
