//! What is kept of a node beside the fleet's figures.

use nodegrace_proto::v1;

use super::{Course, LatestSample, Look};

/// What is known of a node beside the fleet's figures, as it came.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// The agent that reports.
    pub(crate) agent: v1::AgentInstance,
    /// What it sees of each channel now.
    pub(crate) views: Vec<v1::ChannelView>,
    /// The latest sample. Absent: none came yet.
    pub(crate) sample: Option<LatestSample>,
    /// The Node object's facts. Absent: not known.
    pub(crate) facts: Option<Box<v1::NodeFacts>>,
    /// The kubelet's settings. Absent: not known.
    pub(crate) settings: Option<Box<v1::KubeletSettings>>,
    /// What it was like over the last hours.
    pub(crate) course: Course,
    /// Its place among the standings. Absent: it has none yet.
    pub(super) place: Option<usize>,
}

/// What a batch says besides what the fleet takes. Absent: nothing new.
#[derive(Debug)]
pub(crate) struct News {
    /// What the agent sees of each channel now.
    pub(crate) views: Vec<v1::ChannelView>,
    /// The latest sample.
    pub(crate) sample: Option<LatestSample>,
    /// The Node object's facts.
    pub(crate) facts: Option<Box<v1::NodeFacts>>,
    /// The kubelet's settings.
    pub(crate) settings: Option<Box<v1::KubeletSettings>>,
    /// What its samples say for the course of the node.
    pub(crate) looks: Vec<Look>,
}

impl Beside {
    /// Takes what is new; the rest stays.
    pub(super) fn take(&mut self, news: News) {
        let News {
            views,
            sample,
            facts,
            settings,
            // Of moments that may be long gone: whoever takes the batch puts them where they belong.
            looks: _,
        } = news;
        self.views = views;
        self.sample = sample.or(self.sample.take());
        self.facts = facts.or(self.facts.take());
        self.settings = settings.or(self.settings.take());
    }
}

impl Beside {
    /// What an earlier run kept: the agent, and what it said last.
    pub(crate) fn kept(agent: v1::AgentInstance, news: News) -> Self {
        let mut beside = Self {
            agent,
            ..Self::default()
        };
        beside.take(news);
        beside
    }

    /// Takes what an earlier run of the agent left behind: a sample may be the latest there is, the rest is about now.
    pub(super) fn take_replayed(&mut self, news: News) {
        self.sample = news.sample.or(self.sample.take());
    }
}

#[cfg(test)]
impl News {
    /// Nothing new.
    pub(crate) const fn none() -> Self {
        Self {
            views: Vec::new(),
            sample: None,
            facts: None,
            settings: None,
            looks: Vec::new(),
        }
    }
}
