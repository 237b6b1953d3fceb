//! The late interval whose length is in doubt, and the kubelet's count that may settle it.

use nodegrace_core::snapshot::{Count, Doubt};
use nodegrace_proto::store::v1;

use super::{
    Malformed,
    figures::{duration, gap, nanos, to_gap},
};

pub(super) fn to_doubt(doubt: &Doubt) -> v1::Doubt {
    v1::Doubt {
        gap: Some(to_gap(&doubt.gap)),
        start_nanos: nanos(doubt.start),
        end_nanos: nanos(doubt.end),
        known_since_nanos: nanos(doubt.known_since),
        renewals_since_nanos: doubt.renewals_since.map(nanos),
        unseen_since_nanos: doubt.unseen_since.map(nanos),
        settled_nanos: nanos(doubt.settled_at),
    }
}

pub(super) fn doubt(doubt: &v1::Doubt) -> Result<Doubt, Malformed> {
    let at_its_longest = doubt.gap.as_ref().ok_or(Malformed("a gap in doubt"))?;
    Ok(Doubt {
        gap: gap(at_its_longest)?,
        start: duration(doubt.start_nanos),
        end: duration(doubt.end_nanos),
        known_since: duration(doubt.known_since_nanos),
        renewals_since: doubt.renewals_since_nanos.map(duration),
        unseen_since: doubt.unseen_since_nanos.map(duration),
        settled_at: duration(doubt.settled_nanos),
    })
}

pub(super) fn to_count(count: Count) -> v1::RenewalCount {
    v1::RenewalCount {
        asked_nanos: nanos(count.asked),
        answered_nanos: nanos(count.answered),
        renewals: count.renewals,
    }
}

pub(super) const fn renewal_count(count: v1::RenewalCount) -> Count {
    Count {
        asked: duration(count.asked_nanos),
        answered: duration(count.answered_nanos),
        renewals: count.renewals,
    }
}
