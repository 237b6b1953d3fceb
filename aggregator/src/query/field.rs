//! The fields of a node that an order or a filter may name, and their values.

use nodegrace_proto::v1;

/// A field that can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Name,
    State,
    Ready,
    /// Room the p99 gap leaves to the grace period.
    Margin,
    /// Expected flips per day.
    ExpectedFlips,
    GapP50,
    GapP99,
    GapMax,
    RunningGap,
    /// Median period of the channel that beats more often.
    PeriodP50,
    /// Time in which gaps were measured.
    Observed,
    /// How endangered the node is, over all figures: what lists are ordered by unless told otherwise.
    Risk,
    KubeletVersion,
    /// What makes its heartbeats late most of all.
    Cause,
    Connected,
}

/// What kind of value a field has, and so what it can be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    State,
    Ready,
    Cause,
    Seconds,
    Number,
    Flag,
}

/// The value of a field of one node. A field that is not known has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    State(v1::State),
    Ready(v1::ConditionStatus),
    Seconds(f64),
    Number(f64),
    Flag(bool),
}

impl Field {
    const ALL: [(&'static str, Self); 15] = [
        ("name", Self::Name),
        ("state", Self::State),
        ("ready", Self::Ready),
        ("margin", Self::Margin),
        ("expected_flips", Self::ExpectedFlips),
        ("gap_p50", Self::GapP50),
        ("gap_p99", Self::GapP99),
        ("gap_max", Self::GapMax),
        ("running_gap", Self::RunningGap),
        ("period_p50", Self::PeriodP50),
        ("observed", Self::Observed),
        ("risk", Self::Risk),
        ("kubelet_version", Self::KubeletVersion),
        ("cause", Self::Cause),
        ("connected", Self::Connected),
    ];

    /// Every field.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().map(|(_, field)| field)
    }

    /// The field called `name`, among those that `allowed` lets through.
    pub(crate) fn named(name: &str, allowed: fn(Self) -> bool) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(known, field)| *known == name && allowed(*field))
            .map(|(_, field)| field)
    }

    /// The names of all fields that `allowed` lets through, for an error message.
    pub(crate) fn names(allowed: fn(Self) -> bool) -> String {
        let names: Vec<&str> = Self::ALL
            .into_iter()
            .filter(|(_, field)| allowed(*field))
            .map(|(name, _)| name)
            .collect();
        names.join(", ")
    }

    /// Whether lists can be ordered by it.
    pub(crate) fn orders(self) -> bool {
        !matches!(self, Self::Ready | Self::KubeletVersion | Self::Connected)
    }

    /// Whether a filter can test it.
    pub(crate) fn filters(self) -> bool {
        !matches!(self, Self::PeriodP50 | Self::Observed | Self::Risk)
    }

    /// The kind of its values.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Name | Self::KubeletVersion => Kind::Text,
            Self::Cause => Kind::Cause,
            Self::State => Kind::State,
            Self::Ready => Kind::Ready,
            Self::Margin
            | Self::GapP50
            | Self::GapP99
            | Self::GapMax
            | Self::RunningGap
            | Self::PeriodP50
            | Self::Observed => Kind::Seconds,
            Self::ExpectedFlips | Self::Risk => Kind::Number,
            Self::Connected => Kind::Flag,
        }
    }
}
