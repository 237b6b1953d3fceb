//! The present: what is seen of each channel, the Node's facts and the kubelet's settings. Only the newest word counts.

use std::time::Duration;

use nodegrace_proto::v1::{Channel, ChannelView, KubeletSettings, NodeFacts, ReportBatch};

use crate::{observe::Outlook, wire};

/// Entries nodeStatusMaxImages allows where the setting is not known: the kubelet's default.
const DEFAULT_MAX_IMAGES: u32 = 50;

/// The present state of everything that is no record.
#[derive(Debug)]
pub(super) struct State {
    views: [ChannelView; 2],
    facts: Revised<Option<NodeFacts>>,
    settings: Revised<Option<KubeletSettings>>,
    /// nodeLeaseDurationSeconds as the Lease tells it: what is left of the settings where /configz cannot be read.
    lease_duration: Option<Duration>,
    /// Settings read from /configz.
    configured: Option<KubeletSettings>,
}

/// What a reader was told of the state. A new one has not seen facts or settings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    facts: u64,
    settings: u64,
}

/// A value and how often it changed: a reader that was told this revision need not be told again.
#[derive(Debug, Default)]
struct Revised<T> {
    value: T,
    revision: u64,
}

impl<T: PartialEq> Revised<T> {
    fn set(&mut self, value: T) {
        if self.value != value {
            self.value = value;
            self.revision += 1;
        }
    }
}

impl State {
    /// Nothing is known yet.
    pub(super) fn unknown() -> Self {
        Self {
            views: [Channel::Lease, Channel::NodeStatus]
                .map(|channel| Outlook::new(channel).view()),
            facts: Revised::default(),
            settings: Revised::default(),
            lease_duration: None,
            configured: None,
        }
    }

    pub(super) fn view(&mut self, view: ChannelView) {
        let known = self
            .views
            .iter_mut()
            .find(|known| known.channel == view.channel);
        if let Some(known) = known {
            *known = view;
        }
    }

    pub(super) fn learn_facts(&mut self, facts: NodeFacts) {
        self.facts.set(Some(facts));
    }

    pub(super) fn learn_lease_duration(&mut self, duration: Duration) {
        self.lease_duration = Some(duration);
        self.merge_settings();
    }

    pub(super) fn configured(&mut self, settings: KubeletSettings) {
        self.configured = Some(settings);
        self.merge_settings();
    }

    /// A batch that tells a reader what it was not told yet.
    pub(super) fn tell(&self, told: &mut Told) -> ReportBatch {
        // Settings decide whether the list of images is said to be cut: when they change, the facts do.
        let facts = self.facts.revision + self.settings.revision;
        let batch = ReportBatch {
            channel_views: self.views.to_vec(),
            node_facts: self.judged_facts().filter(|_| told.facts != facts),
            kubelet_settings: self
                .settings
                .value
                .clone()
                .filter(|_| told.settings != self.settings.revision),
            ..ReportBatch::default()
        };
        *told = Told {
            facts,
            settings: self.settings.revision,
        };
        batch
    }

    fn merge_settings(&mut self) {
        let from_lease = || {
            self.lease_duration.map(|duration| KubeletSettings {
                node_lease_duration: Some(wire::duration(duration)),
                ..KubeletSettings::default()
            })
        };
        self.settings
            .set(self.configured.clone().or_else(from_lease));
    }

    /// The Node's facts, with the word on its list of images that depends on the settings.
    fn judged_facts(&self) -> Option<NodeFacts> {
        let mut facts = self.facts.value.clone()?;
        let most = match self
            .settings
            .value
            .as_ref()
            .and_then(|settings| settings.node_status_max_images)
        {
            None => Some(DEFAULT_MAX_IMAGES),
            // Negative: no limit.
            Some(most) => u32::try_from(most).ok(),
        };
        facts.listed_images_cut =
            matches!((facts.listed_images, most), (Some(listed), Some(most)) if listed >= most);
        Some(facts)
    }
}
