//! `ListGaps`: the long gaps that were kept exactly, and those that are told without being counted.
//!
//! A gap does not change once it is kept, so a page token is the place of the last gap shown, and nothing is remembered for
//! it: gaps that come or go between two pages neither hide nor repeat another.

use std::sync::Arc;

use nodegrace_core::{ControllerSettings, Gap, cause::Explanation};
use nodegrace_proto::v1;
use tonic::Status;

use super::{cause, node, page, place::Place, unknown_node};
use crate::{aggregator::Parts, wire};

/// What gaps are ordered by.
#[derive(Clone, Copy, Debug)]
enum Figure {
    EndTime,
    Duration,
}

/// The page of gaps that `request` asks for.
pub(super) async fn list(
    parts: &Parts,
    request: &v1::ListGapsRequest,
) -> Result<v1::ListGapsResponse, Status> {
    let size = page::page_size(request.page_size)?;
    let (figure, descending) = order(&request.order_by)?;
    let shortest = request
        .min_duration
        .map(wire::duration)
        .transpose()
        .map_err(|reason| Status::invalid_argument(format!("min_duration: {reason}")))?
        .unwrap_or_default();
    let fingerprint = page::fingerprint(&[
        &request.node_name,
        &request.order_by,
        &format!("{shortest:?}"),
    ]);
    let after = Place::after(&request.page_token, fingerprint)?;
    let mut gaps = page::Collector::new(size, after);
    let names = if request.node_name.is_empty() {
        parts.register.names()
    } else if parts.register.knows(&request.node_name) {
        Arc::from([Arc::from(request.node_name.as_str())])
    } else {
        return Err(unknown_node(&request.node_name));
    };

    let mut dropped_gaps = 0;
    parts
        .register
        .visit(&names, |known| {
            let history = known.history;
            dropped_gaps += history.gaps().dropped();
            let long = history.gaps().exact().chain(history.uncounted_gaps());
            for gap in long.filter(|gap| gap.duration >= shortest) {
                let place = place(gap, history.name(), figure, descending);
                gaps.take(place, || (*gap, history.explanation(gap).cloned()));
            }
        })
        .await;
    let (gaps, next) = gaps.page();
    let controller = &parts.config.fleet.controller;
    let gaps = gaps.into_iter().map(|(place, (gap, why))| {
        let message = message(&place.name, &gap, why.as_ref(), controller);
        (place, message)
    });
    let (gaps, next) = page::fitting(gaps, next);
    Ok(v1::ListGapsResponse {
        gaps,
        next_page_token: next.map_or_else(String::new, |place| place.token(fingerprint)),
        dropped_gaps,
    })
}

fn order(order_by: &str) -> Result<(Figure, bool), Status> {
    let words: Vec<&str> = order_by.split_whitespace().collect();
    match words[..] {
        [] | ["end_time", "desc"] => Ok((Figure::EndTime, true)),
        ["end_time"] => Ok((Figure::EndTime, false)),
        ["duration", "desc"] => Ok((Figure::Duration, true)),
        ["duration"] => Ok((Figure::Duration, false)),
        _ => Err(Status::invalid_argument(
            "order_by: must be \"end_time\" or \"duration\", each with an optional \" desc\"",
        )),
    }
}

/// The place of a gap in an order.
fn place(gap: &Gap, node: &Arc<str>, figure: Figure, descending: bool) -> Place {
    let end = gap.end_time.unix_nanos();
    let figure = match figure {
        Figure::EndTime => end,
        Figure::Duration => i64::try_from(gap.duration.as_nanos()).unwrap_or(i64::MAX),
    };
    let start = gap.start_time.unix_nanos();
    Place::new(figure, descending, (end, start), Arc::clone(node))
}

fn message(
    node: &str,
    gap: &Gap,
    why: Option<&Explanation>,
    controller: &ControllerSettings,
) -> v1::Gap {
    let late = why.into_iter().flat_map(|why| why.late.iter());
    v1::Gap {
        node_name: node.to_owned(),
        duration: Some(wire::to_duration(gap.duration)),
        start_time: Some(wire::to_timestamp(gap.start_time)),
        end_time: Some(wire::to_timestamp(gap.end_time)),
        start_channel: node::channel(gap.start_channel).into(),
        end_channel: node::channel(gap.end_channel).into(),
        flip_probability: gap.flip_probability(controller),
        flip_seen: gap.flip_seen,
        uncertainty: Some(gap.uncertainty)
            .filter(|uncertainty| !uncertainty.is_zero())
            .map(wire::to_duration),
        extra_poll: gap.start().may_earn_a_poll(),
        lateness: why.map(|why| wire::to_duration(why.lateness)),
        vantage: cause::vantage(why.and_then(|why| why.vantage)).into(),
        late_channels: late.map(|late| node::channel(late).into()).collect(),
        causes: why.map(cause::of_gap).unwrap_or_default(),
        uncounted: gap.uncounted,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nodegrace_core::{Channel, WallTime};

    use super::*;

    #[test]
    fn descending_reverses_every_order() {
        let gap = |end| Gap {
            duration: Duration::from_secs(20),
            start_time: WallTime::from_unix_nanos(0),
            end_time: WallTime::from_unix_nanos(end),
            start_channel: Channel::Lease,
            end_channel: Channel::Lease,
            since_lease: None,
            earlier_posts: nodegrace_core::EarlierPosts::none(),
            uncertainty: Duration::ZERO,
            flip_seen: false,
            uncounted: false,
        };
        let node = Arc::from("node");
        let place = |end, descending| super::place(&gap(end), &node, Figure::EndTime, descending);
        assert!(place(1, false) < place(2, false) && place(1, true) > place(2, true));
        assert!(place(i64::MIN, true) > place(i64::MAX, true));
    }
}
