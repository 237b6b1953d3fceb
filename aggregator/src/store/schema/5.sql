-- Version 5: flips of every kind, whoever saw them, with what went with them.

ALTER TABLE flip RENAME TO flip_4;
DROP INDEX flip_kept;
DROP VIEW flips;

-- Times a node's Ready left True. Times are nanoseconds since the Unix epoch, by the aggregator's wall clock where nothing else is
-- said.
CREATE TABLE flip (
    node TEXT NOT NULL,
    -- lastTransitionTime, by the clock of whoever wrote the condition; for rows of version 4, which did not keep it, agent_seen_ns.
    transition_ns INTEGER NOT NULL,
    -- What Ready turned to, Unknown or False, and its reason.
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- HEARTBEAT_LOST, KUBELET_NOT_READY, CONTROLLER_STALE, NODE_REBOOTED or NODE_DELETED, by what was known when this was written.
    kind TEXT NOT NULL,
    -- When the aggregator's watch saw it. NULL: it did not.
    seen_ns INTEGER,
    -- When the node's agent saw it, by the node's wall clock. NULL: it did not.
    agent_seen_ns INTEGER,
    -- Time since the last heartbeat. NULL: not known.
    after_ns INTEGER,
    -- When Ready was True again, or the Node deleted. NULL: it was not, or nobody saw.
    ready_again_ns INTEGER,
    deleted_ns INTEGER,
    -- Addresses of Services that left.
    lost_addresses INTEGER NOT NULL,
    -- nodegrace.store.v1.FlipDetail.
    detail BLOB NOT NULL,
    kept_ns INTEGER NOT NULL,
    UNIQUE (node, transition_ns)
) STRICT;
INSERT INTO flip
SELECT node, seen_ns, 'Unknown', 'NodeStatusUnknown', 'HEARTBEAT_LOST', NULL, seen_ns, after_ns, NULL, NULL, 0, x'', kept_ns
FROM flip_4;
DROP TABLE flip_4;
CREATE INDEX flip_kept ON flip (kept_ns);

-- The same for people. For example, the flips that cost Services the most:
--   sqlite3 history.db 'SELECT * FROM flips ORDER BY lost_addresses DESC LIMIT 10'
CREATE VIEW flips AS
SELECT
    node,
    kind,
    strftime('%Y-%m-%dT%H:%M:%fZ', coalesce(seen_ns, agent_seen_ns) / 1e9, 'unixepoch') AS seen,
    after_ns / 1e9 AS seconds_without_heartbeat,
    (ready_again_ns - coalesce(seen_ns, agent_seen_ns)) / 1e9 AS seconds_not_ready,
    lost_addresses,
    status,
    reason
FROM flip;
