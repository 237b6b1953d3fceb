//! Whether a run was busy enough for its ledger to prove anything: one in which nothing happens balances by itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Args,
    account::Account,
    difference::Difference,
    plan::{Fault, LONG_OUTAGE, LONG_OUTAGE_EVERY, Step},
};

/// Of each node's posts at least one in so many must be surely observable.
const OBSERVABLE_ONE_IN: u64 = 3;
/// Of all posts at least this many percent must be surely observable.
const OBSERVABLE_PERCENT: u64 = 60;
/// Most rows of heartbeats that no watch can have brought, as the moment of a cut is known to some microseconds only. More of
/// them say that the driver does not recognise the watches.
const MOST_UNEXPLAINED: u64 = 10;
/// Rounds in which every kind of fault must strike; in shorter runs those that were drawn must.
const EVERY_KIND_FROM: u32 = 100;
/// What the long outage must last on the cluster's clock to overflow the smallest spools: some 700 heartbeats, 3 a second.
const OVERFLOWS_AFTER: f64 = 300.0;

/// What is missing for `account`, the sum over all nodes, to say something.
pub(super) fn says_too_little(
    args: &Args,
    steps: &[Step],
    struck: &BTreeMap<&'static str, u64>,
    account: &Account,
) -> Vec<Difference> {
    let mut whys = Vec::new();
    if account.stored == 0 {
        whys.push("nothing was stored".to_owned());
    }
    if account.observable * 100 < account.posted * OBSERVABLE_PERCENT {
        whys.push(format!(
            "{} of {} heartbeats were observable, less than {OBSERVABLE_PERCENT} %",
            account.observable, account.posted
        ));
    }
    if account.unwatched_stored > MOST_UNEXPLAINED {
        whys.push(format!(
            "{} heartbeats are stored that no watch can have brought",
            account.unwatched_stored
        ));
    }
    let expected: BTreeSet<_> = if args.rounds >= EVERY_KIND_FROM {
        Fault::labels(!args.no_disk_full).collect()
    } else {
        steps.iter().map(|step| step.fault.label()).collect()
    };
    let never = expected
        .into_iter()
        .filter(|kind| !struck.contains_key(kind));
    whys.extend(never.map(|kind| format!("it never came to this: {kind}")));
    let overflowing = LONG_OUTAGE.as_secs_f64() * args.speed >= OVERFLOWS_AFTER;
    if args.rounds >= LONG_OUTAGE_EVERY && overflowing && account.reported_drops == 0 {
        whys.push("no spool overflowed".to_owned());
    }
    let says_little = |why| Difference::SaysLittle { why };
    whys.into_iter().map(says_little).collect()
}

/// What is missing for the account of one node to say something.
pub(super) fn shows_too_little(node: &str, account: &Account) -> Option<Difference> {
    let too_little = account.posted == 0 || account.observable * OBSERVABLE_ONE_IN < account.posted;
    too_little.then(|| Difference::SaysLittle {
        why: format!(
            "{node}: {} of {} heartbeats were observable, less than one in {OBSERVABLE_ONE_IN}",
            account.observable, account.posted
        ),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::chaos::plan::plan;

    const WELL: Account = Account {
        posted: 100,
        observable: 60,
        stored: 55,
        dropped: 5,
        lost: 0,
        under_way: 20,
        under_way_stored: 20,
        unwatched: 20,
        unwatched_stored: 0,
        baselines_dropped: 0,
        baselines: 4,
        reported_drops: 5,
        duplicates: 1,
    };

    fn judge(account: Account, forgotten: Option<&str>) -> Vec<Difference> {
        let args = Args::parse_from(["chaos", "--rounds", "200"]);
        let steps = plan(args.seed, args.rounds, 8, true);
        let kinds = steps.iter().map(|step| step.fault.label());
        let struck = kinds.filter(|kind| Some(*kind) != forgotten);
        let struck = struck.map(|kind| (kind, 1)).collect();
        says_too_little(&args, &steps, &struck, &account)
    }

    #[test]
    fn a_busy_run_says_enough() {
        assert_eq!(judge(WELL, None), []);
        assert_eq!(shows_too_little("node", &WELL), None);
    }

    #[test]
    fn a_run_says_too_little_when_hardly_anything_was_observable_or_nothing_stored_or_dropped() {
        let blind = Account {
            observable: 30,
            ..WELL
        };
        assert_eq!(judge(blind, None).len(), 1);
        assert!(shows_too_little("node", &blind).is_some());
        assert!(shows_too_little("node", &Account::default()).is_some());
        let empty = Account {
            stored: 0,
            reported_drops: 0,
            unwatched_stored: 11,
            ..WELL
        };
        assert_eq!(judge(empty, None).len(), 3);
    }

    #[test]
    fn a_run_says_too_little_when_a_kind_of_fault_never_struck() {
        let missing = judge(WELL, Some("aggregator silent"));
        assert!(matches!(&missing[..], [Difference::SaysLittle { why }] if why.contains("silent")));
    }
}
