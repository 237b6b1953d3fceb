//! Why a node's heartbeats were late, and what is usual on it.

mod explained;
mod recorded;

use nodegrace_core::{
    WallTime,
    cause::{Baseline, CauseHistory, CauseTotal, Ended, Figure, Kubelet, Row, WallClock, Window},
    event::Rhythm,
};
use nodegrace_proto::store::v1;

use self::{
    explained::{explained, kind, late, to_explained, to_kind, to_late, to_vantage, vantage},
    recorded::{moment, part, recorded, series, to_moment, to_part, to_recorded, to_series},
};
use super::{
    Malformed,
    figures::{duration, gap, nanos, to_gap},
    history::{last_arrival, to_last_arrival},
};

pub(super) fn to_disk(causes: CauseHistory) -> v1::CauseHistory {
    let CauseHistory {
        baseline,
        series: [coarse, fine],
        moment,
        kubelet,
        rhythm,
        quiet_since,
        candidate,
        window,
        ended,
        explained,
        untold: _,
        before_reboot,
        reboots,
        totals,
    } = causes;
    v1::CauseHistory {
        layout: Figure::layout(),
        baseline: baseline.rows.iter().flat_map(to_bytes).collect(),
        offered: baseline.offered,
        coarse: coarse.map(to_series),
        fine: fine.map(to_series),
        moment: moment.map(to_moment),
        process_start_nanos: kubelet.process.map(|(start, _)| nanos(start)),
        process_seen_nanos: kubelet.process.map_or(0, |(_, seen)| nanos(seen)),
        metrics_start_unix_nanos: kubelet.metrics.map(|(start, _)| start.unix_nanos()),
        metrics_read_nanos: kubelet.metrics.map_or(0, |(_, read)| nanos(read)),
        lease_duration_nanos: rhythm.lease_duration.map(nanos),
        status_update_nanos: rhythm.status_update.map(nanos),
        status_report_nanos: rhythm.status_report.map(nanos),
        quiet_since_nanos: nanos(quiet_since),
        candidate: candidate.iter().flat_map(to_bytes).collect(),
        window: window.as_ref().map(to_window),
        late_gap: ended.as_deref().map(to_late_gap),
        explained: explained.iter().map(to_explained).collect(),
        reboots: reboots.iter().map(to_explained).collect(),
        before_reboot: before_reboot.map(to_last_arrival),
        totals: totals.iter().map(to_total).collect(),
    }
}

pub(super) fn from_disk(causes: v1::CauseHistory) -> Result<CauseHistory, Malformed> {
    let explained_gaps = |gaps: Vec<v1::ExplainedGap>| {
        gaps.into_iter()
            .map(explained)
            .collect::<Result<Vec<_>, _>>()
    };
    let mut history = CauseHistory {
        kubelet: Kubelet {
            process: causes
                .process_start_nanos
                .map(|start| (duration(start), duration(causes.process_seen_nanos))),
            metrics: causes.metrics_start_unix_nanos.map(|start| {
                let start = WallTime::from_unix_nanos(start);
                (start, duration(causes.metrics_read_nanos))
            }),
        },
        rhythm: Rhythm {
            lease_duration: causes.lease_duration_nanos.map(duration),
            status_update: causes.status_update_nanos.map(duration),
            status_report: causes.status_report_nanos.map(duration),
        },
        quiet_since: duration(causes.quiet_since_nanos),
        explained: explained_gaps(causes.explained)?,
        reboots: explained_gaps(causes.reboots)?,
        before_reboot: causes
            .before_reboot
            .as_ref()
            .map(last_arrival)
            .transpose()?,
        totals: causes.totals.iter().map(total).collect::<Result<_, _>>()?,
        ..CauseHistory::default()
    };
    if causes.layout == Figure::layout() {
        history.baseline = Baseline {
            rows: rows(&causes.baseline)?,
            offered: causes.offered,
        };
        history.series = [
            causes.coarse.map(series).transpose()?,
            causes.fine.map(series).transpose()?,
        ];
        history.moment = causes.moment.map(moment).transpose()?;
        history.candidate = rows(&causes.candidate)?.pop();
        history.window = causes.window.map(window).transpose()?;
        history.ended = causes.late_gap.map(late_gap).transpose()?.map(Box::new);
    }
    Ok(history)
}

fn to_bytes(row: &Row) -> impl Iterator<Item = u8> {
    row.halves.into_iter().flat_map(u16::to_le_bytes)
}

fn rows(bytes: &[u8]) -> Result<Vec<Row>, Malformed> {
    let halves: Vec<u16> = bytes
        .chunks(2)
        .map(|pair| pair.try_into().map(u16::from_le_bytes))
        .collect::<Result<_, _>>()
        .map_err(|_| Malformed("half a figure"))?;
    let row = |halves: &[u16]| Row::of_halves(halves).ok_or(Malformed("a figure"));
    halves.chunks(Row::LEN).map(row).collect()
}

fn to_window(window: &Window) -> v1::CauseWindow {
    v1::CauseWindow {
        start_nanos: nanos(window.start),
        usual_nanos: nanos(window.usual),
        wall: Some(to_wall(&window.wall)),
        early_timeouts: to_part(window.early_timeouts),
        replaced_nanos: window.replaced.map(nanos),
        recorded: window.seen.as_deref().map(to_recorded),
    }
}

fn window(window: v1::CauseWindow) -> Result<Window, Malformed> {
    Ok(Window {
        start: duration(window.start_nanos),
        usual: duration(window.usual_nanos),
        wall: wall(&window.wall.ok_or(Malformed("a wall clock"))?),
        early_timeouts: part(&window.early_timeouts)?,
        replaced: window.replaced_nanos.map(duration),
        seen: window.recorded.map(recorded).transpose()?.map(Box::new),
    })
}

fn to_wall(wall: &WallClock) -> v1::WallClock {
    v1::WallClock {
        credited_unix_nanos: wall.credited.map(WallTime::unix_nanos),
        least_ahead_nanos: wall.least_ahead,
        most_ahead_nanos: wall.most_ahead,
        seen_nanos: nanos(wall.seen),
        hidden_until_nanos: nanos(wall.hidden_until),
        most_behind_nanos: nanos(wall.most_behind),
        hidden_nanos: nanos(wall.hidden),
        ahead_nanos: wall.ahead,
        stepped_nanos: nanos(wall.stepped),
    }
}

fn wall(wall: &v1::WallClock) -> WallClock {
    WallClock {
        credited: wall.credited_unix_nanos.map(WallTime::from_unix_nanos),
        least_ahead: wall.least_ahead_nanos,
        most_ahead: wall.most_ahead_nanos,
        seen: duration(wall.seen_nanos),
        ahead: wall.ahead_nanos,
        stepped: duration(wall.stepped_nanos),
        hidden_until: duration(wall.hidden_until_nanos),
        most_behind: duration(wall.most_behind_nanos),
        hidden: duration(wall.hidden_nanos),
    }
}

fn to_late_gap(ended: &Ended) -> v1::LateGap {
    v1::LateGap {
        gap: Some(to_gap(&ended.gap)),
        in_doubt: ended.in_doubt,
        lateness_nanos: nanos(ended.lateness),
        vantage: to_vantage(ended.vantage).into(),
        late: to_late(ended.late),
        delay: ended.delay.0,
        usual_delay: ended.delay.1,
        uncredited: ended.uncredited,
        hidden_nanos: nanos(ended.hidden),
        behind_nanos: nanos(ended.behind),
        early_timeouts: to_part(ended.early_timeouts),
        gone_nanos: nanos(ended.gone),
        ended_timeline_nanos: nanos(ended.at),
        recorded: Some(to_recorded(&ended.seen)),
    }
}

fn late_gap(ended: v1::LateGap) -> Result<Ended, Malformed> {
    let vantage = vantage(ended.vantage());
    let late = late(ended.late());
    let seen = ended.recorded.ok_or(Malformed("what was recorded"))?;
    Ok(Ended {
        gap: gap(&ended.gap.ok_or(Malformed("a late gap"))?)?,
        in_doubt: ended.in_doubt,
        lateness: duration(ended.lateness_nanos),
        vantage,
        late,
        delay: (ended.delay, ended.usual_delay),
        uncredited: ended.uncredited,
        hidden: duration(ended.hidden_nanos),
        behind: duration(ended.behind_nanos),
        early_timeouts: part(&ended.early_timeouts)?,
        gone: duration(ended.gone_nanos),
        at: duration(ended.ended_timeline_nanos),
        seen: Box::new(recorded(seen)?),
    })
}

fn to_total(total: &CauseTotal) -> v1::CauseTotal {
    v1::CauseTotal {
        kind: to_kind(total.kind).into(),
        gaps: total.gaps,
        accounts_for_nanos: nanos(total.accounts_for),
        last_unix_nanos: total.last.unix_nanos(),
    }
}

fn total(total: &v1::CauseTotal) -> Result<CauseTotal, Malformed> {
    Ok(CauseTotal {
        kind: kind(total.kind())?,
        gaps: total.gaps,
        accounts_for: duration(total.accounts_for_nanos),
        last: WallTime::from_unix_nanos(total.last_unix_nanos),
    })
}
