//! What samples said, as arrays with one value for each figure.

use nodegrace_core::cause::{Moment, Part, Seen, Series, Sources};
use nodegrace_proto::store::v1;

use crate::store::snapshot::{
    Malformed,
    figures::{duration, nanos},
};

pub(super) fn to_series(series: Series) -> v1::SampleTotals {
    v1::SampleTotals {
        at_nanos: nanos(series.at),
        interval_nanos: nanos(series.interval),
        totals: series.totals.to_vec(),
    }
}

pub(super) fn series(series: v1::SampleTotals) -> Result<Series, Malformed> {
    Ok(Series {
        at: duration(series.at_nanos),
        interval: duration(series.interval_nanos),
        totals: array(series.totals)?,
    })
}

pub(super) fn to_moment(moment: Moment) -> v1::SampleMoment {
    v1::SampleMoment {
        at_nanos: nanos(moment.at),
        values: moment.values.to_vec(),
    }
}

pub(super) fn moment(moment: v1::SampleMoment) -> Result<Moment, Malformed> {
    Ok(Moment {
        at: duration(moment.at_nanos),
        values: array(moment.values)?,
    })
}

pub(super) fn to_recorded(seen: &Seen) -> v1::Recorded {
    let pairs = |parts: &[Part]| {
        let pairs = parts.iter().flat_map(|part| [part.sum, part.seconds]);
        pairs.collect()
    };
    v1::Recorded {
        from_nanos: nanos(seen.from),
        until_nanos: seen.until.map(nanos),
        settled: pairs(&seen.settled),
        pending: pairs(&seen.pending),
        coarse_until_nanos: nanos(seen.coarse_until),
        covered_until_nanos: nanos(seen.covered_until),
        covered: seen.covered.to_vec(),
        unconnected: seen.unconnected.to_vec(),
        refused: seen.refused.to_vec(),
        read: seen.read.bits().into(),
    }
}

pub(super) fn recorded(seen: v1::Recorded) -> Result<Seen, Malformed> {
    let read = u16::try_from(seen.read).map_err(|_| Malformed("a source"))?;
    Ok(Seen {
        from: duration(seen.from_nanos),
        until: seen.until_nanos.map(duration),
        settled: parts(&seen.settled)?,
        pending: parts(&seen.pending)?,
        coarse_until: duration(seen.coarse_until_nanos),
        covered_until: duration(seen.covered_until_nanos),
        covered: array(seen.covered)?,
        unconnected: array(seen.unconnected)?,
        refused: array(seen.refused)?,
        read: Sources::of_bits(read),
    })
}

pub(super) fn to_part(part: Part) -> Vec<f32> {
    vec![part.sum, part.seconds]
}

pub(super) fn part(pair: &[f32]) -> Result<Part, Malformed> {
    match *pair {
        [sum, seconds] => Ok(Part { sum, seconds }),
        _ => Err(Malformed("half of what was recorded")),
    }
}

fn parts<const N: usize>(values: &[f32]) -> Result<[Part; N], Malformed> {
    array(values.chunks(2).map(part).collect::<Result<_, _>>()?)
}

fn array<T, const N: usize>(values: Vec<T>) -> Result<[T; N], Malformed> {
    values.try_into().map_err(|_| Malformed("a figure"))
}
