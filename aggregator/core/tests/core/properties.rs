//! What must hold for every controller, gap and history.

use std::time::Duration;

use nodegrace_core::{
    Channel, ControllerSettings, EarlierPosts, Gap, GapBounds, GapHistory, GapStart, PassDuration,
    Risk, WallTime,
    controller::{Judge, first_flip},
};
use proptest::prelude::*;

use crate::kit::s;

prop_compose! {
    fn controllers()(
        grace in 5.0..120.0_f64,
        period in 0.5..15.0_f64,
        pass in prop_oneof![Just(0.002), 0.0..3.0_f64],
        whole in any::<bool>(),
    ) -> ControllerSettings {
        // Half of them with a grace of whole monitor periods, as people set it.
        let grace = if whole { (grace / period).ceil() * period } else { grace };
        ControllerSettings {
            pass: PassDuration::constant(s(pass)),
            ..ControllerSettings::default().with_periods(s(grace), s(period))
        }
    }
}

/// Share of the poll phases for which the simulator flips a node whose gap of `length` starts with the last of these beats,
/// which come at the given times after a Lease heartbeat, or with that one where there are none.
fn share_of_phases(settings: &ControllerSettings, length: f64, after: &[(f64, Channel)]) -> f64 {
    const PHASES: u32 = 500;
    let interval = settings.poll_interval().0.as_secs_f64();
    // The first poll finds the node as it is; the heartbeats come after it, the first not later than the second.
    let beat = |&(after, channel): &(f64, Channel)| (s(interval + after), channel);
    let mut beats = vec![beat(&(0.0, Channel::Lease))];
    beats.extend(after.iter().map(beat));
    let end = interval + after.last().map_or(0.0, |last| last.0) + length;
    beats.push((s(end), Channel::Lease));
    let flips = (0..PHASES).filter(|&phase| {
        let phase = interval * (f64::from(phase) + 0.5) / f64::from(PHASES);
        first_flip(
            *settings,
            settings.pass.shortest,
            s(phase),
            true,
            &beats,
            s(end),
        )
        .is_some()
    });
    flips.count() as f64 / f64::from(PHASES)
}

/// How a gap starts that comes after these beats, which ascend and follow a Lease heartbeat.
fn start_after(after: &[(f64, Channel)]) -> GapStart {
    let (mut lease, mut posts, mut last) = (0.0, EarlierPosts::none(), None);
    for &(at, channel) in after {
        match (channel, last) {
            (Channel::Lease, _) => (lease, posts, last) = (at, EarlierPosts::none(), None),
            (Channel::NodeStatus, before) => {
                posts = before.map_or(posts, |before: f64| posts.followed(s(at - before)));
                last = Some(at);
            }
        }
    }
    GapStart::after(last.map(|last| s(last - lease)), posts)
}

/// Up to eight posts, each up to 15 s before the next.
fn earlier_posts() -> impl Strategy<Value = EarlierPosts> {
    let apart = prop::collection::vec(0.01..15.0_f64, 0..9);
    apart.prop_map(|apart| {
        let none = EarlierPosts::none();
        apart.into_iter().map(s).fold(none, EarlierPosts::followed)
    })
}

/// Up to nine beats after a Lease heartbeat, each up to two and a half polls after the one before.
fn beats() -> impl Strategy<Value = Vec<(f64, bool)>> {
    prop::collection::vec((0.01..2.5_f64, prop::bool::weighted(0.8)), 0..10)
}

fn gap(length: Duration, end: i64) -> Gap {
    let end_time = WallTime::from_unix_nanos(end);
    Gap {
        duration: length,
        start_time: end_time,
        end_time,
        start_channel: Channel::Lease,
        end_channel: Channel::Lease,
        since_lease: None,
        earlier_posts: EarlierPosts::none(),
        uncertainty: Duration::ZERO,
        flip_seen: false,
        uncounted: false,
    }
}

fn history(gaps: &[(u64, i64)]) -> GapHistory {
    let mut history = GapHistory::new(GapBounds {
        exact_above: s(15.0),
        most: 10,
    });
    for &(millis, end) in gaps {
        history.insert(gap(Duration::from_millis(millis), end));
    }
    history
}

fn gaps() -> impl Strategy<Value = Vec<(u64, i64)>> {
    prop::collection::vec((1_u64..120_000, any::<i64>()), 0..60)
}

fn exact(history: &GapHistory) -> Vec<Gap> {
    let mut gaps: Vec<Gap> = history.exact().copied().collect();
    gaps.sort_unstable();
    gaps
}

proptest! {
    #[test]
    fn the_simulator_averaged_over_phases_is_the_closed_form(
        settings in controllers(),
        polls_beyond in -1.0..2.0_f64,
    ) {
        let interval = settings.poll_interval().0.as_secs_f64();
        let length = settings.effective_grace(settings.pass.shortest).as_secs_f64()
            + polls_beyond * interval;
        let closed = settings.flip_probability(s(length), GapStart::Once);
        let simulated = share_of_phases(&settings, length, &[]);
        prop_assert!((closed - simulated).abs() <= 0.005, "{closed} {simulated}");
    }

    #[test]
    fn the_extra_poll_of_a_status_post_is_the_closed_form_too(
        settings in controllers(),
        polls_beyond in -1.0..3.0_f64,
        polls_since_lease in 0.01..2.5_f64,
    ) {
        let interval = settings.poll_interval().0.as_secs_f64();
        let since_lease = polls_since_lease * interval;
        // A Lease older than the grace period would have been a flip of its own.
        prop_assume!(since_lease < settings.grace_period.as_secs_f64());
        let length = settings.effective_grace(settings.pass.shortest).as_secs_f64()
            + polls_beyond * interval;
        let beats = [(since_lease, Channel::NodeStatus)];
        let start = start_after(&beats);
        let closed = settings.flip_probability(s(length), start);
        let simulated = share_of_phases(&settings, length, &beats);
        prop_assert!((closed - simulated).abs() <= 0.01, "{closed} {simulated}");
    }

    #[test]
    fn posts_and_renewals_in_any_order_are_the_closed_form_too(
        settings in controllers(),
        polls_beyond in -1.0..3.0_f64,
        beats in beats(),
    ) {
        let interval = settings.poll_interval().0.as_secs_f64();
        // Longer pauses would have been flips of their own.
        let longest = settings.grace_period.as_secs_f64() / interval;
        let mut at = 0.0;
        let beats: Vec<_> = beats
            .into_iter()
            .map(|(polls, post)| {
                at += polls.min(longest) * interval;
                (at, if post { Channel::NodeStatus } else { Channel::Lease })
            })
            .collect();
        let length = settings.effective_grace(settings.pass.shortest).as_secs_f64()
            + polls_beyond * interval;
        let closed = settings.flip_probability(s(length), start_after(&beats));
        let simulated = share_of_phases(&settings, length, &beats);
        // Each beat is an end of a stretch, which the phases tried meet to within a five-hundredth.
        prop_assert!((closed - simulated).abs() <= 0.03, "{closed} {simulated} {beats:?}");
    }

    #[test]
    fn longer_gaps_and_shorter_grace_periods_never_flip_less(
        settings in controllers(),
        spread in 0.0..3.0_f64,
        length in 1.0..200.0_f64,
        longer in 0.0..30.0_f64,
        since_lease in prop::option::of(0.0..60.0_f64),
        posts in earlier_posts(),
    ) {
        let start = GapStart::after(since_lease.map(s), posts);
        let settings = ControllerSettings {
            pass: PassDuration {
                shortest: settings.pass.shortest,
                longest: settings.pass.shortest + s(spread),
            },
            ..settings
        };
        let more_grace = settings.with_periods(settings.grace_period + s(longer), settings.monitor_period);
        let here = settings.flip_probability(s(length), start);
        prop_assert!((0.0..=1.0).contains(&here));
        prop_assert!(settings.flip_probability(s(length + longer), start) >= here - 1e-9);
        prop_assert!(more_grace.flip_probability(s(length), start) <= here + 1e-9);
    }

    #[test]
    fn nothing_flips_before_the_earliest_and_everything_after_the_latest(
        settings in controllers(),
        spread in 0.0..3.0_f64,
        since_lease in prop::option::of(0.0..60.0_f64),
        posts in earlier_posts(),
    ) {
        let start = GapStart::after(since_lease.map(s), posts);
        let settings = ControllerSettings {
            pass: PassDuration {
                shortest: settings.pass.shortest,
                longest: settings.pass.shortest + s(spread),
            },
            ..settings
        };
        let (earliest, latest) = (settings.earliest_flip(start), settings.latest_flip(start));
        prop_assert!(settings.flip_probability(earliest, start) <= 1e-9);
        prop_assert!(settings.flip_probability(latest + s(1e-6), start) >= 1.0 - 1e-9);
        prop_assert!(earliest <= settings.mean_detection() || start.may_earn_a_poll());
    }

    #[test]
    fn a_judge_says_what_the_closed_form_says(
        settings in controllers(),
        spread in 0.0..3.0_f64,
        length in 1.0..200.0_f64,
        since_lease in prop::option::of(0.0..60.0_f64),
        posts in earlier_posts(),
    ) {
        let start = GapStart::after(since_lease.map(s), posts);
        let settings = ControllerSettings {
            pass: PassDuration {
                shortest: settings.pass.shortest,
                longest: settings.pass.shortest + s(spread),
            },
            ..settings
        };
        let judgement = Judge::new(settings).judge(s(length), start);
        let probability = judgement.map_or(0.0, |judgement| judgement.flip_probability);
        let outage = judgement.map_or(Duration::ZERO, |judgement| judgement.mean_outage);
        prop_assert!((probability - settings.flip_probability(s(length), start)).abs() < 1e-9);
        prop_assert!(outage.abs_diff(settings.mean_outage(s(length), start)) < s(1e-6));
    }

    #[test]
    fn two_histories_merged_are_the_history_of_the_union(left in gaps(), right in gaps()) {
        let mut merged = history(&left);
        merged.merge(&history(&right));
        let union = history(&[left, right].concat());
        prop_assert_eq!(merged.sketch(), union.sketch());
        prop_assert_eq!(exact(&merged), exact(&union));
        prop_assert_eq!(merged.dropped(), union.dropped());
        prop_assert_eq!(merged.exact_above(), union.exact_above());
        prop_assert_eq!(merged.measured(), union.measured());
        let judge = Judge::new(ControllerSettings::default());
        let (merged, union) = (Risk::of(&merged, &judge), Risk::of(&union, &judge));
        prop_assert!((merged.expected() - union.expected()).abs() < 1e-9);
    }
}
