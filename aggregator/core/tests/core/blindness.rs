//! What the agent could not see, or had to drop, is never a gap of the kubelet.

use nodegrace_core::{
    Event, Losses,
    event::{Channel, Rhythm, Visibility},
};

use crate::{
    chains::{gaps, steady},
    kit::{Agent, NODE, figures, fleet, now, s, wall},
};

#[test]
fn a_long_blind_spell_with_a_relist_hides_heartbeats() {
    let (mut fleet, mut agent) = steady();
    agent.blind(Channel::Lease, 1201.0, 1224.0, false);
    agent.lease(1230.0);
    agent.lease(1240.0);
    agent.send(&mut fleet, 1240.0);
    let figures = figures(&fleet, 1240.0);
    assert_eq!(gaps(&figures), (21, 1));
    assert_eq!(figures.channels[0].period.count, 21);
    assert_eq!(figures.observation.blind, s(23.0));
    assert_eq!(figures.observation.blind_spells, 1);
}

#[test]
fn the_order_of_a_blind_spell_and_the_heartbeat_it_uncovers_does_not_matter() {
    let (mut fleet, mut agent) = steady();
    agent.late_lease(1224.0, 22.0);
    agent.blind(Channel::Lease, 1201.0, 1224.0, false);
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    let figures = figures(&fleet, 1230.0);
    assert_eq!(gaps(&figures), (20, 2));
    assert_eq!(figures.channels[0].period.count, 21);
}

#[test]
fn a_blind_spell_too_short_to_hide_a_heartbeat_breaks_nothing() {
    let (mut fleet, mut agent) = steady();
    agent.blind(Channel::Lease, 1208.0, 1212.0, false);
    agent.late_lease(1212.0, 3.0);
    agent.lease(1220.0);
    agent.send(&mut fleet, 1220.0);
    let figures = figures(&fleet, 1220.0);
    assert_eq!(gaps(&figures), (22, 0));
    assert_eq!(figures.channels[0].period.count, 22);
}

#[test]
fn a_resumed_watch_misses_nothing_but_its_late_arrivals_measure_nothing() {
    let (mut fleet, mut agent) = steady();
    agent.blind(Channel::Lease, 1201.0, 1224.0, true);
    agent.late_lease(1224.0, 14.0);
    agent.late_lease(1224.0, 4.0);
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    let figures = figures(&fleet, 1230.0);
    assert_eq!(figures.channels[0].period.count, 23);
    assert_eq!(gaps(&figures), (21, 2));
}

#[test]
fn a_gap_that_ends_after_resumed_watches_is_measured_because_nothing_was_missed() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1203.0) };
    for channel in Channel::ALL {
        agent.view(channel, Some(blind));
    }
    agent.send(&mut fleet, 1225.0);
    for channel in Channel::ALL {
        agent.view(channel, Some(Visibility::Observed));
        agent.blind(channel, 1203.0, 1240.0, true);
    }
    agent.late_lease(1240.0, 2.0);
    agent.lease(1250.0);
    agent.send(&mut fleet, 1250.0);
    assert_eq!(gaps(&figures(&fleet, 1250.0)), (22, 0));
    let gap = fleet.history(NODE).expect("it reported").long_gaps()[0];
    assert_eq!((gap.duration, gap.uncertainty), (s(40.0), s(2.0)));
}

#[test]
fn a_channel_that_is_blind_for_less_than_half_of_what_the_settings_ask_for_hides_nothing() {
    let (mut fleet, mut agent) = steady();
    agent.rhythm(Rhythm {
        status_report: Some(s(300.0)),
        ..Rhythm::default()
    });
    let blind = Visibility::Blind { since: s(1203.0) };
    agent.view(Channel::NodeStatus, Some(blind));
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    assert_eq!(gaps(&figures(&fleet, 1230.0)), (21, 0));
}

#[test]
fn a_gap_that_ends_while_the_other_channel_is_delayed_is_not_measured() {
    let (mut fleet, mut agent) = steady();
    agent.status(1220.0);
    agent.blind(Channel::Lease, 1203.0, 1225.0, true);
    agent.late_lease(1225.0, 15.0);
    agent.lease(1230.0);
    agent.send(&mut fleet, 1230.0);
    assert_eq!(gaps(&figures(&fleet, 1230.0)), (20, 3));
}

#[test]
fn what_was_seen_between_two_spells_of_one_batch_is_measured() {
    // A post while the Lease is delayed ends nothing that is known; where the Lease was missed, the next renewal does not either.
    for (resumed, expected) in [(true, 2), (false, 4)] {
        let (mut fleet, mut agent) = steady();
        for start in [1203.0, 1253.0] {
            agent.blind(Channel::Lease, start, start + 22.0, resumed);
            agent.status(start + 7.0);
            agent.lease(start + 27.0);
            agent.lease(start + 37.0);
        }
        agent.send(&mut fleet, 1290.0);
        let (_, unmeasured) = gaps(&figures(&fleet, 1290.0));
        assert_eq!(unmeasured, expected);
    }
}

#[test]
fn while_one_channel_is_blind_the_other_alone_measures_no_gap() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1203.0) };
    agent.view(Channel::NodeStatus, Some(blind));
    agent.lease(1210.0);
    agent.lease(1220.0);
    agent.send(&mut fleet, 1220.0);
    let figures = figures(&fleet, 1221.0);
    assert_eq!(gaps(&figures), (20, 2));
    assert_eq!(figures.channels[0].period.count, 22);
    assert_eq!(figures.running_gap, None);
    assert_eq!(figures.observation.blind, s(18.0));
}

#[test]
fn a_blind_spell_that_turns_out_shorter_takes_nothing_from_those_that_ended() {
    let (mut fleet, mut agent) = steady();
    agent.view(Channel::Lease, Some(Visibility::Blind { since: s(1201.0) }));
    agent.send(&mut fleet, 1215.0);
    // Nothing is heard of the agent for a while: as far as is known here it is blind still.
    let running = figures(&fleet, 1291.0).observation;
    assert_eq!(running.blind, s(90.0));
    assert_eq!(running.blind_in_ended_spells, s(0.0));
    agent.view(Channel::Lease, Some(Visibility::Observed));
    agent.blind(Channel::Lease, 1201.0, 1219.0, true);
    agent.send(&mut fleet, 1292.0);
    let ended = figures(&fleet, 1292.0).observation;
    assert_eq!(ended.blind, s(18.0));
    assert_eq!(ended.blind_in_ended_spells, s(18.0));
}

#[test]
fn a_resumed_watch_keeps_the_periods_even_when_a_batch_was_sent_meanwhile() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1201.0) };
    agent.view(Channel::Lease, Some(blind));
    agent.send(&mut fleet, 1215.0);
    agent.view(Channel::Lease, Some(Visibility::Observed));
    agent.blind(Channel::Lease, 1201.0, 1219.0, true);
    agent.late_lease(1219.0, 9.0);
    agent.lease(1220.0);
    agent.send(&mut fleet, 1220.0);
    assert_eq!(figures(&fleet, 1220.0).channels[0].period.count, 22);
}

#[test]
fn a_batch_that_was_sent_before_a_channel_had_proven_to_be_seen_hides_no_gap() {
    let (mut fleet, mut agent) = steady();
    let blind = Visibility::Blind { since: s(1201.0) };
    agent.view(Channel::Lease, Some(blind));
    // The agent stood still until then; it takes an event, or two seconds, until it says that it sees the channel again.
    agent.send(&mut fleet, 1231.5);
    agent.view(Channel::Lease, Some(Visibility::Observed));
    agent.blind(Channel::Lease, 1201.0, 1231.0, true);
    agent.lease(1232.0);
    agent.send(&mut fleet, 1232.0);
    assert_eq!(gaps(&figures(&fleet, 1232.0)), (21, 0));
}

#[test]
fn dropped_heartbeats_leave_a_hole_that_is_no_gap() {
    let (mut fleet, mut agent) = steady();
    agent.skip_numbers(2);
    agent.lose(Losses {
        dropped_heartbeats: 2,
        ..Losses::default()
    });
    agent.lease(1230.0);
    agent.lease(1240.0);
    agent.send(&mut fleet, 1240.0);
    let figures = figures(&fleet, 1240.0);
    assert_eq!(gaps(&figures), (21, 1));
    assert_eq!(figures.losses.expect("some").dropped_heartbeats, 2);
}

#[test]
fn dropped_samples_break_nothing() {
    let (mut fleet, mut agent) = steady();
    agent.skip_numbers(1);
    agent.lose(Losses {
        dropped_samples: 1,
        ..Losses::default()
    });
    agent.lease(1210.0);
    agent.send(&mut fleet, 1210.0);
    assert_eq!(gaps(&figures(&fleet, 1210.0)), (21, 0));
}

#[test]
fn what_an_earlier_run_acknowledged_is_said_to_be_forgotten() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.skip_numbers(500);
    agent.lose(Losses {
        dropped_samples: 20,
        ..Losses::default()
    });
    agent.lease(1000.0);
    agent.send(&mut fleet, 1000.0);
    assert_eq!(figures(&fleet, 1000.0).observation.forgotten_records, 480);
}

#[test]
fn a_channel_that_was_not_looked_at_yet_may_hold_heartbeats() {
    let (mut fleet, mut agent) = (fleet(), Agent::new("boot-1", 990.0));
    agent.view(Channel::NodeStatus, None);
    agent.lease(1000.0);
    agent.lease(1010.0);
    agent.send(&mut fleet, 1012.0);
    assert_eq!(gaps(&figures(&fleet, 1012.0)), (0, 1));
    assert_eq!(figures(&fleet, 1012.0).running_gap, None);
    agent.view(Channel::NodeStatus, Some(Visibility::Absent));
    agent.lease(1020.0);
    agent.lease(1030.0);
    agent.send(&mut fleet, 1030.0);
    assert_eq!(gaps(&figures(&fleet, 1030.0)), (1, 2));
}

#[test]
fn numbers_that_went_elsewhere_are_forgotten_and_no_gap_reaches_over_them() {
    let (mut fleet, mut agent) = steady();
    agent.skip_numbers(20);
    agent.lose(Losses {
        dropped_samples: 5,
        ..Losses::default()
    });
    agent.lease(1410.0);
    agent.lease(1420.0);
    agent.send(&mut fleet, 1420.0);
    let found = figures(&fleet, 1420.0);
    assert_eq!(found.observation.forgotten_records, 15);
    assert_eq!(gaps(&found), (21, 1));
    assert_eq!(fleet.complete_since(), Some(wall(1410.0)));

    // What was lost before explains no other hole.
    agent.skip_numbers(5);
    agent.lease(1480.0);
    agent.send(&mut fleet, 1480.0);
    let found = figures(&fleet, 1480.0);
    assert_eq!(found.observation.forgotten_records, 20);
    assert_eq!(gaps(&found), (21, 2));
}

#[test]
fn what_the_agent_says_is_gone_is_not_forgotten_although_it_is_counted_later() {
    let (mut fleet, mut agent) = steady();
    agent.skip_numbers(3);
    agent.lease(1210.0);
    let mut batch = agent.batch(1210.0);
    if let Event::Report(report) = &mut batch {
        report.dropped_before = 2;
    }
    fleet.apply(batch, now(1210.0));
    let found = figures(&fleet, 1210.0);
    assert_eq!(found.observation.forgotten_records, 1);
}

#[test]
fn what_was_refused_or_left_out_is_not_forgotten() {
    let (mut fleet, mut agent) = steady();
    agent.skip_numbers(3);
    agent.lease(1210.0);
    let mut batch = agent.batch(1210.0);
    if let Event::Report(report) = &mut batch {
        let (number, _) = report.records[0];
        report.sent_records = Some((number - 3, number + 2));
    }
    assert_eq!(fleet.apply(batch, now(1210.0)).acknowledged, 27);
    agent.skip_numbers(2);
    agent.lease(1220.0);
    agent.send(&mut fleet, 1220.0);
    let found = figures(&fleet, 1220.0);
    assert_eq!(found.observation.forgotten_records, 0);
    assert_eq!(gaps(&found), (22, 0));
}
