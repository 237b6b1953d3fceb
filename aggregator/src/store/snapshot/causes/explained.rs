//! Late gaps that were explained.

use nodegrace_core::cause::{
    Cause, CauseKind, Evidence, Explained, Explanation, Figure, LateChannels, Sources, Vantage,
};
use nodegrace_proto::{store::v1, v1 as wire};

use crate::store::snapshot::{
    Malformed,
    figures::{channel, duration, gap, nanos, to_channel, to_gap},
};
pub(super) use crate::wire::cause_kind as to_kind;

pub(super) fn to_explained(explained: &Explained) -> v1::ExplainedGap {
    let why = &explained.why;
    v1::ExplainedGap {
        gap: Some(to_gap(&explained.gap)),
        lateness_nanos: nanos(why.lateness),
        vantage: to_vantage(why.vantage).into(),
        late: to_late(why.late),
        causes: why.causes.iter().map(to_cause).collect(),
        read: why.read.bits().into(),
        recorded_nanos: nanos(why.recorded),
        ended_timeline_nanos: nanos(why.ended),
    }
}

pub(super) fn explained(explained: v1::ExplainedGap) -> Result<Explained, Malformed> {
    let read = u16::try_from(explained.read).map_err(|_| Malformed("a source"))?;
    Ok(Explained {
        why: Explanation {
            lateness: duration(explained.lateness_nanos),
            vantage: vantage(explained.vantage()),
            late: late(explained.late()),
            causes: explained
                .causes
                .iter()
                .map(cause)
                .collect::<Result<_, _>>()?,
            read: Sources::of_bits(read),
            recorded: duration(explained.recorded_nanos),
            ended: duration(explained.ended_timeline_nanos),
        },
        gap: gap(&explained.gap.ok_or(Malformed("an explained gap"))?)?,
    })
}

fn to_cause(cause: &Cause) -> v1::Cause {
    v1::Cause {
        kind: to_kind(cause.kind).into(),
        accounts_for_nanos: nanos(cause.accounts_for),
        share: cause.share,
        evidence: cause.evidence.iter().map(to_evidence).collect(),
    }
}

fn cause(cause: &v1::Cause) -> Result<Cause, Malformed> {
    Ok(Cause {
        kind: kind(cause.kind())?,
        accounts_for: duration(cause.accounts_for_nanos),
        share: cause.share,
        // A later version may have done away with a figure.
        evidence: cause.evidence.iter().filter_map(evidence).collect(),
    })
}

fn to_evidence(evidence: &Evidence) -> v1::Evidence {
    v1::Evidence {
        figure: evidence.figure.name().to_owned(),
        value: evidence.value,
        usual: evidence.usual,
        deviations: evidence.deviations,
        recorded_nanos: nanos(evidence.recorded),
    }
}

fn evidence(evidence: &v1::Evidence) -> Option<Evidence> {
    Some(Evidence {
        figure: Figure::named(&evidence.figure)?,
        value: evidence.value,
        usual: evidence.usual,
        deviations: evidence.deviations,
        recorded: duration(evidence.recorded_nanos),
    })
}

pub(super) const fn to_vantage(vantage: Option<Vantage>) -> wire::Vantage {
    match vantage {
        None => wire::Vantage::Unspecified,
        Some(Vantage::Node) => wire::Vantage::Node,
        Some(Vantage::Delivery) => wire::Vantage::Delivery,
    }
}

pub(super) const fn vantage(vantage: wire::Vantage) -> Option<Vantage> {
    match vantage {
        wire::Vantage::Unspecified => None,
        wire::Vantage::Node => Some(Vantage::Node),
        wire::Vantage::Delivery => Some(Vantage::Delivery),
    }
}

pub(super) fn to_late(late: LateChannels) -> Vec<i32> {
    late.iter().map(|late| to_channel(late).into()).collect()
}

pub(super) fn late(late: impl Iterator<Item = wire::Channel>) -> LateChannels {
    let late: Vec<_> = late.filter_map(|late| channel(late).ok()).collect();
    LateChannels::of(|channel| late.contains(&channel))
}

pub(super) fn kind(kind: wire::CauseKind) -> Result<CauseKind, Malformed> {
    let known = CauseKind::ALL
        .into_iter()
        .find(|known| to_kind(*known) == kind);
    known.ok_or(Malformed("a cause"))
}
