//! The addresses behind a name over time: who is new, who is gone for good.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio_util::sync::CancellationToken;

/// How long an address that is listed no more is still reported to: a replica that is not ready for a while leaves the list
/// and comes back to it.
const GONE_AFTER: Duration = Duration::from_secs(300);

/// Most addresses reported to: a name that stands for more is not a few replicas of an aggregator.
const MOST_REPLICAS: usize = 16;

/// The addresses that are reported to.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<SocketAddr, Member>,
}

#[derive(Debug)]
struct Member {
    /// Since when it is not listed, on the agent's clock. `None`: it is.
    missing_since: Option<Duration>,
    /// Cancelled when it is gone.
    gone: CancellationToken,
}

/// An address to report to from now on, until `gone` is cancelled.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) address: SocketAddr,
    pub(super) gone: CancellationToken,
}

impl Roster {
    /// Takes note of what is listed `now`. Returns who is new.
    pub(super) fn list(&mut self, listed: &[SocketAddr], now: Duration) -> Vec<Arrival> {
        self.members.retain(|address, member| {
            if listed.contains(address) {
                member.missing_since = None;
                return true;
            }
            let since = *member.missing_since.get_or_insert(now);
            let stays = now.saturating_sub(since) < GONE_AFTER;
            if !stays {
                member.gone.cancel();
            }
            stays
        });
        let mut arrivals = Vec::new();
        for &address in listed {
            if self.members.len() < MOST_REPLICAS && !self.members.contains_key(&address) {
                let gone = CancellationToken::new();
                let member = Member {
                    missing_since: None,
                    gone: gone.clone(),
                };
                self.members.insert(address, member);
                arrivals.push(Arrival { address, gone });
            }
        }
        arrivals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([10, 0, 0, last], 4850).into()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_address_arrives_once() {
        let mut roster = Roster::default();
        let both = [address(1), address(2)];
        assert_eq!(roster.list(&both, seconds(0)).len(), 2);
        assert!(roster.list(&both, seconds(30)).is_empty());
        let third = roster.list(&[address(1), address(3), address(3)], seconds(60));
        assert_eq!(third.len(), 1);
        assert_eq!(third[0].address, address(3));
    }

    #[test]
    fn an_address_is_gone_when_it_was_not_listed_for_a_while() {
        let mut roster = Roster::default();
        let arrivals = roster.list(&[address(1), address(2)], seconds(0));
        roster.list(&[address(2)], seconds(1000));
        roster.list(&[address(2)], seconds(1299));
        assert!(!arrivals[0].gone.is_cancelled(), "it may come back");
        roster.list(&[address(2)], seconds(1300));
        assert!(arrivals[0].gone.is_cancelled());
        assert!(!arrivals[1].gone.is_cancelled());
        assert_eq!(roster.list(&[address(1)], seconds(1310)).len(), 1);
    }

    #[test]
    fn a_name_that_stands_for_the_whole_world_is_not_believed() {
        let mut roster = Roster::default();
        let world: Vec<_> = (0..100).map(address).collect();
        assert_eq!(roster.list(&world, seconds(0)).len(), MOST_REPLICAS);
    }
}
