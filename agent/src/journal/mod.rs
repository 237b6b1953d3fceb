//! What the agent knows and has not delivered: records in a bounded buffer, and the present state of everything else.
//!
//! Watches and the sampler write; an uplink reads at its own cursor and is woken by every change. One lock guards it all:
//! it is taken a few times a second and never held across an await.

mod batch;
mod buffer;

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nodegrace_proto::v1::{
    BlindSpell, Channel, ChannelView, Heartbeat, KubeletSettings, Losses, NodeFacts, ReadyChange,
    Sample,
};
use tokio::sync::watch;

pub(crate) use self::batch::{BatchLimits, Contents, Cursor};
use self::buffer::Buffer;
use crate::{
    observe::{Observation, Outlook},
    wire,
};

/// Entries nodeStatusMaxImages allows where the setting is not known: the kubelet's default.
const DEFAULT_MAX_IMAGES: u32 = 50;

/// The agent's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: Mutex<Entries>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Entries {
    buffer: Buffer,
    views: [ChannelView; 2],
    facts: Revised<Option<NodeFacts>>,
    settings: Revised<Option<KubeletSettings>>,
    /// nodeLeaseDurationSeconds as the Lease tells it: what is left of the settings where /configz cannot be read.
    lease_duration: Option<Duration>,
    /// Settings read from /configz.
    configured: Option<KubeletSettings>,
}

/// A value and how often it changed: a cursor that has seen this revision need not be sent it again.
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

/// What is kept of a record until it is acknowledged, but for samples.
#[derive(Clone, Debug)]
pub(crate) enum Vital {
    /// A heartbeat.
    Heartbeat(Heartbeat),
    /// A blind spell that ended.
    BlindSpell(BlindSpell),
    /// A change of the Ready condition.
    ReadyChange(ReadyChange),
}

impl Journal {
    /// An empty journal that keeps at most `capacity` bytes of records, as they are encoded on the wire.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            entries: Mutex::new(Entries {
                buffer: Buffer::new(capacity),
                views: [Channel::Lease, Channel::NodeStatus]
                    .map(|channel| Outlook::new(channel).view()),
                facts: Revised::default(),
                settings: Revised::default(),
                lease_duration: None,
                configured: None,
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Wakes on every change.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Writes down a blind spell that ended.
    pub(crate) fn spell(&self, spell: BlindSpell) {
        self.write(|entries| entries.buffer.push(Vital::BlindSpell(spell)));
    }

    /// Writes down what an observer learned.
    pub(crate) fn learn(&self, learned: Vec<Observation>) {
        if learned.is_empty() {
            return;
        }
        self.write(|entries| {
            for one in learned {
                match one {
                    Observation::Heartbeat(heartbeat) => {
                        entries.buffer.push(Vital::Heartbeat(heartbeat));
                    }
                    Observation::ReadyChange(change) => {
                        entries.buffer.push(Vital::ReadyChange(change));
                    }
                    Observation::Facts(facts) => entries.facts.set(Some(facts)),
                    Observation::LeaseDuration(duration) => {
                        entries.lease_duration = Some(duration);
                        entries.merge_settings();
                    }
                }
            }
        });
    }

    /// Writes down a sample.
    pub(crate) fn sample(&self, sample: Sample) {
        self.write(|entries| entries.buffer.push_sample(sample));
    }

    /// Notes what is seen of a channel now.
    pub(crate) fn view(&self, view: ChannelView) {
        self.write(|entries| {
            if let Some(known) = entries
                .views
                .iter_mut()
                .find(|known| known.channel == view.channel)
            {
                *known = view;
            }
        });
    }

    /// Notes the kubelet's settings, as /configz tells them.
    pub(crate) fn configured(&self, settings: KubeletSettings) {
        self.write(|entries| {
            entries.configured = Some(settings);
            entries.merge_settings();
        });
    }

    /// Forgets every record up to `sequence`: it was acknowledged. `rejected` of them were refused.
    pub(crate) fn acknowledge(&self, sequence: u64, rejected: u64) {
        let mut entries = self.lock();
        entries.buffer.acknowledge(sequence);
        entries.buffer.losses.rejected_records += rejected;
    }

    /// Every record up to this number was acknowledged; 0 before the first.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.lock().buffer.acknowledged
    }

    /// What was dropped so far.
    pub(crate) fn losses(&self) -> Losses {
        self.lock().buffer.losses
    }

    /// What comes next for a reader at `cursor`, which moves on.
    pub(crate) fn next(&self, cursor: &mut Cursor, limits: BatchLimits) -> Contents {
        self.lock().next(cursor, limits)
    }

    fn write(&self, change: impl FnOnce(&mut Entries)) {
        change(&mut self.lock());
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // A writer that panicked left at worst one record half noted; the rest of the journal is still true.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
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
