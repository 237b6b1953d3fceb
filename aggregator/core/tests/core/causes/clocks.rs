//! Clocks that are stepped, and boots that end them.

use nodegrace_core::{cause::CauseKind, event::Channel};

use super::kit::{Host, first, kinds};
use crate::kit::{Agent, s};

#[test]
fn a_clock_set_back_accounts_for_the_time_until_it_has_caught_up() {
    let mut host = Host::new().settle(30);
    host.pass(5, &|_| Vec::new());
    host.stepped = -30.0;
    host.agent.uncredited(3);
    let why = host.late(35, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::ClockStep]);
    assert_eq!(why.vantage, None, "stamps cannot be placed");
    assert!(first(&why).share > 0.6, "{:?}", why.causes);
}

#[test]
fn a_clock_set_back_before_the_last_heartbeat_hides_the_lease_all_the_same() {
    let mut host = Host::new().settle(30);
    host.pass(5, &|_| Vec::new());
    host.stepped = -60.0;
    host.pass(5, &|_| Vec::new());
    // A status post counts whatever its stamp.
    host.agent.status(f64::from(host.at));
    host.send();
    let why = host.late(40, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::ClockStep]);
    assert!(first(&why).share > 0.9, "{:?}", why.causes);
}

#[test]
fn a_clock_step_that_cost_no_renewal_is_no_cause() {
    let mut host = Host::new().settle(30);
    host.pass(5, &|_| Vec::new());
    host.stepped = 30.0;
    let why = host.late(35, &|_| Vec::new());
    assert_eq!(kinds(&why), [CauseKind::Unknown]);
}

#[test]
fn a_reboot_is_told_by_the_wall_clock_and_counts_in_no_figure() {
    let mut host = Host::new().settle(30);
    let before = host.history().gaps().sketch().count();
    let mut agent = Agent::new("boot-2", 45.0);
    agent.booted(f64::from(host.at) + 20.0);
    agent.baseline(Channel::Lease, 40.0, 9000);
    agent.lease(50.0);
    agent.send(&mut host.fleet, 560.0);
    let node = host.history();
    let [reboot] = node.reboots() else {
        panic!("one reboot: {:?}", node.reboots());
    };
    assert_eq!(kinds(&reboot.why), [CauseKind::NodeRebooted]);
    assert_eq!(
        reboot.gap.duration.as_secs(),
        59,
        "20 s until it booted, 40 s until the stamp"
    );
    assert_eq!(reboot.gap.uncertainty.as_secs(), 39);
    assert_eq!(node.gaps().sketch().count(), before);
    assert_eq!(node.causes()[0].kind, CauseKind::NodeRebooted);
}

#[test]
fn what_a_boot_before_left_behind_is_not_the_first_beat_of_this_one() {
    let mut host = Host::new().settle(30);
    let mut agent = Agent::new("boot-2", 5.0);
    agent.booted(f64::from(host.at) + 20.0);
    agent.old_baseline(Channel::Lease, 6.0, 20.0);
    agent.send(&mut host.fleet, 506.0);
    assert!(host.history().reboots().is_empty());
    agent.lease(30.0);
    agent.send(&mut host.fleet, 530.0);
    assert_eq!(host.history().reboots()[0].gap.duration, s(50.0));
}
