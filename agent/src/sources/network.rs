//! /proc/net/snmp and /proc/net/netstat: what TCP had to send again, and to whom nobody answered.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use nodegrace_proto::v1::Network;

use super::{Missing, Reading, rate, read_file};

/// Remembers whose counters they were and what they said.
#[derive(Debug, Default)]
pub(super) struct NetworkMeter {
    before: Option<Counters>,
}

/// Counters of one network namespace since it began.
#[derive(Clone, Copy, Debug)]
struct Counters {
    at: Duration,
    host: bool,
    segments: u64,
    retransmits: u64,
    /// `None` where the kernel does not say.
    timeouts: Option<u64>,
}

impl NetworkMeter {
    /// Reads the host's counters when process 1 of this /proc is the host's, or else those of the agent's own network
    /// namespace. `None`: the first reading of a namespace.
    pub(super) fn read(
        &mut self,
        proc_root: &Path,
        sees_host: bool,
        now: Duration,
    ) -> Reading<Option<Network>> {
        let (directory, host) = directory(proc_root, sees_host);
        let snmp = read_file(&directory.join("snmp"))?;
        let tcp = |counter| {
            field(&snmp, "Tcp", counter)
                .ok_or_else(|| Missing::Failed(format!("snmp: tells no {counter} of TCP")))
        };
        // Without netstat, what had to be sent again is known all the same.
        let netstat = read_file(&directory.join("netstat")).ok();
        let counters = Counters {
            at: now,
            host,
            segments: tcp("OutSegs")?,
            retransmits: tcp("RetransSegs")?,
            timeouts: netstat.and_then(|text| field(&text, "TcpExt", "TCPTimeouts")),
        };
        let before = self.before.replace(counters);
        Ok(before
            .filter(|before| before.host == host)
            .and_then(|before| rates(before, counters)))
    }
}

/// Where the counters are, and whether they are the host's.
fn directory(proc_root: &Path, sees_host: bool) -> (PathBuf, bool) {
    let host = proc_root.join("1/net");
    if sees_host && host.join("snmp").exists() {
        (host, true)
    } else {
        (proc_root.join("net"), false)
    }
}

/// The figures of the time between two readings. `None` when no time passed, or a counter that is always there went back.
fn rates(before: Counters, now: Counters) -> Option<Network> {
    let seconds = now.at.saturating_sub(before.at).as_secs_f64();
    Some(Network {
        host: now.host,
        segments_per_second: rate(before.segments, now.segments, seconds)?,
        retransmits_per_second: rate(before.retransmits, now.retransmits, seconds)?,
        timeouts_per_second: before
            .timeouts
            .zip(now.timeouts)
            .and_then(|(before, now)| rate(before, now, seconds)),
    })
}

/// A counter of one protocol: a line names the counters, the next one of the same protocol tells their values.
fn field(text: &str, protocol: &str, counter: &str) -> Option<u64> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'));
    let position = lines
        .next()?
        .split_whitespace()
        .position(|name| name == counter)?;
    lines.next()?.split_whitespace().nth(position)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SNMP: &str = include_str!("../../tests/captured/proc/net/snmp");
    const NETSTAT: &str = include_str!("../../tests/captured/proc/net/netstat");

    /// A /proc with the network of the host and of the agent.
    struct Root(tempfile::TempDir);

    impl Root {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn write(&self, net: &str, sent: u64, again: u64, timeouts: u64) {
            let directory = self.0.path().join(net);
            fs::create_dir_all(&directory).unwrap();
            let snmp = format!("Tcp: InSegs OutSegs RetransSegs\nTcp: 7 {sent} {again}\n");
            fs::write(directory.join("snmp"), snmp).unwrap();
            let netstat = format!("TcpExt: TW TCPTimeouts\nTcpExt: 7 {timeouts}\n");
            fs::write(directory.join("netstat"), netstat).unwrap();
        }

        fn read(&self, meter: &mut NetworkMeter, sees_host: bool, at: u64) -> Option<Network> {
            meter
                .read(self.0.path(), sees_host, Duration::from_secs(at))
                .unwrap()
        }
    }

    #[test]
    fn the_host_is_told_by_its_first_process_and_the_agents_own_network_without_it() {
        for (sees_host, net) in [(true, "1/net"), (false, "net")] {
            let (root, mut meter) = (Root::new(), NetworkMeter::default());
            root.write("1/net", 9, 9, 9);
            root.write(net, 1000, 20, 5);
            assert_eq!(root.read(&mut meter, sees_host, 0), None);
            root.write(net, 1500, 40, 6);
            let network = root.read(&mut meter, sees_host, 10).unwrap();
            assert_eq!(network.host, sees_host);
            assert_eq!(
                (network.segments_per_second, network.retransmits_per_second),
                (50.0, 2.0)
            );
            assert_eq!(network.timeouts_per_second, Some(0.1));
        }
    }

    #[test]
    fn counters_of_two_networks_are_not_compared() {
        let (root, mut meter) = (Root::new(), NetworkMeter::default());
        root.write("net", 1000, 20, 5);
        assert_eq!(root.read(&mut meter, false, 0), None);
        root.write("1/net", 5000, 90, 50);
        assert_eq!(root.read(&mut meter, true, 10), None);
        assert!(root.read(&mut meter, true, 20).is_some());
    }

    #[test]
    fn a_host_whose_network_cannot_be_seen_leaves_the_agents_own() {
        let (root, mut meter) = (Root::new(), NetworkMeter::default());
        root.write("net", 1000, 20, 5);
        root.read(&mut meter, true, 0);
        assert!(!root.read(&mut meter, true, 10).unwrap().host);
    }

    #[test]
    fn without_netstat_timeouts_are_unknown() {
        let (root, mut meter) = (Root::new(), NetworkMeter::default());
        root.write("net", 1000, 20, 5);
        fs::remove_file(root.0.path().join("net/netstat")).unwrap();
        root.read(&mut meter, false, 0);
        let network = root.read(&mut meter, false, 10).unwrap();
        assert_eq!(
            (network.segments_per_second, network.timeouts_per_second),
            (0.0, None)
        );
    }

    #[test]
    fn captured_counters_are_found_among_those_of_other_protocols() {
        assert_eq!(field(SNMP, "Tcp", "OutSegs"), Some(7_714_263));
        assert_eq!(field(SNMP, "Tcp", "RetransSegs"), Some(1536));
        assert_eq!(field(NETSTAT, "TcpExt", "TCPTimeouts"), Some(3));
    }

    #[test]
    fn nonsense_is_an_error_and_no_crash() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("net")).unwrap();
        for text in ["", "Tcp:", "Tcp: OutSegs\n", "Tcp: OutSegs\nTcp: x\n"] {
            fs::write(root.path().join("net/snmp"), text).unwrap();
            let reading = NetworkMeter::default().read(root.path(), false, Duration::ZERO);
            assert!(matches!(reading, Err(Missing::Failed(_))), "{text:?}");
        }
    }
}
