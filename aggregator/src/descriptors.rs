//! File descriptors: a connection takes one, and what the system gives a process may be fewer than there may be connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::Limits;

/// Descriptors that are not for connections to the gRPC port: 256 of HTTP and 1,024 on their way through TLS to it
/// (`serve/http.rs`, `serve/incoming.rs`), the API server's, and some dozen files.
const OTHERS: usize = 1_536;

/// Takes as many file descriptors as this process may have, and makes the limits fit them: whoever is one too many is
/// then refused and counted, and others do not suffer.
pub fn fit_descriptors(limits: Limits) -> Limits {
    let descriptors = raise();
    let fitting = fit(limits, descriptors);
    if fitting.connections < limits.nodes {
        tracing::info!(
            descriptors,
            connections = limits.connections,
            fitting = fitting.connections,
            nodes = limits.nodes,
            "descriptors are for fewer agents than nodes may be kept: for more raise the hard limit (ulimit -Hn)"
        );
    }
    fitting
}

/// Raises the soft limit to the hard one, which no privilege is needed for, and says how many descriptors there may be then.
fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of file descriptors stays as it is");
            limit.current
        }
    };
    // Absent: there is no limit.
    now.map_or(usize::MAX, |most| {
        usize::try_from(most).unwrap_or(usize::MAX)
    })
}

/// The limits with so many connections as there are descriptors for: half of them at least, however few.
fn fit(limits: Limits, descriptors: usize) -> Limits {
    let for_connections = descriptors - OTHERS.min(descriptors / 2);
    Limits {
        connections: limits.connections.min(for_connections),
        ..limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_enough_the_limits_stay() {
        let limits = Limits::default();
        for enough in [limits.connections + OTHERS, 1 << 20, usize::MAX] {
            assert_eq!(fit(limits, enough), limits);
        }
    }

    #[test]
    fn where_there_are_few_something_is_left_for_all_but_agents() {
        for (descriptors, connections) in [
            (321_000, 319_464),
            (65_536, 64_000),
            (1024, 512),
            (3, 2),
            (0, 0),
        ] {
            let limits = fit(Limits::default(), descriptors);
            assert_eq!(limits.connections, connections, "of {descriptors}");
        }
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let most = raise();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        let known = limit.current.map(|most| most as usize);
        assert_eq!(known.unwrap_or(usize::MAX), most);
    }
}
