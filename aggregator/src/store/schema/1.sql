-- Version 1: what agents report, what came of it, and where the aggregator's time stands.

-- One row: the aggregator's own time and its counters.
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- When anything was written last, on the aggregator's monotonic timeline and by its wall clock.
    moment_ns INTEGER NOT NULL,
    wall_ns INTEGER NOT NULL,
    -- What wall times are counted from, by both.
    anchor_moment_ns INTEGER NOT NULL,
    anchor_wall_ns INTEGER NOT NULL,
    -- Records and streams refused, and samples not kept for want of speed.
    rejected_records INTEGER NOT NULL,
    rejected_streams INTEGER NOT NULL,
    shed_samples INTEGER NOT NULL
) STRICT;

-- Batches in the order in which they were taken, until a snapshot of their node holds what they said. A row is acknowledged
-- once it is here.
CREATE TABLE log (
    -- Never used again, so that a snapshot can say up to which row it holds.
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL,
    -- The agent's instance: boot id of its machine and its start, since boot.
    boot_id TEXT NOT NULL,
    agent_start_ns INTEGER NOT NULL,
    -- Sequence numbers of its records; both 0 where it has none.
    first_sequence_number INTEGER NOT NULL,
    last_sequence_number INTEGER NOT NULL,
    -- Heartbeats and samples among them.
    heartbeats INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    -- 1 for the first batch of a stream.
    opens INTEGER NOT NULL,
    -- When it was received, on the aggregator's timeline.
    received_ns INTEGER NOT NULL,
    -- nodegrace.v1.ReportBatch.
    batch BLOB NOT NULL
) STRICT;
CREATE INDEX log_node ON log (node, id);

-- The latest snapshot of each node.
CREATE TABLE node (
    name TEXT PRIMARY KEY,
    -- The agent whose records are kept, and the highest sequence number kept of it.
    boot_id TEXT NOT NULL,
    agent_start_ns INTEGER NOT NULL,
    last_sequence_number INTEGER NOT NULL,
    -- Heartbeats counted, and times Ready was seen to turn Unknown.
    heartbeats INTEGER NOT NULL,
    flips INTEGER NOT NULL,
    -- The last row of the log that the snapshot holds.
    log_id INTEGER NOT NULL,
    -- When it was taken, by the aggregator's wall clock.
    kept_ns INTEGER NOT NULL,
    -- nodegrace.store.v1.NodeSnapshot.
    snapshot BLOB NOT NULL
) STRICT;

-- Long gaps between heartbeats, as the controller sees them. Times are nanoseconds since the Unix epoch, by the node's wall
-- clock; kept_ns by the aggregator's.
CREATE TABLE gap (
    node TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    end_ns INTEGER NOT NULL,
    -- Measured on the node's monotonic clock: not the difference of the two above.
    duration_ns INTEGER NOT NULL,
    -- LEASE or NODE_STATUS: what came before it and what ended it.
    start_channel TEXT NOT NULL,
    end_channel TEXT NOT NULL,
    -- For a status post before it on a node with a Lease: time since the last Lease heartbeat. NULL otherwise.
    since_lease_ns INTEGER,
    -- How much shorter it may have been.
    uncertainty_ns INTEGER NOT NULL,
    -- 1 when Ready was seen to turn Unknown within it.
    flip_seen INTEGER NOT NULL,
    kept_ns INTEGER NOT NULL,
    UNIQUE (node, end_ns, start_ns, duration_ns)
) STRICT;
CREATE INDEX gap_kept ON gap (kept_ns);

-- Times Ready was seen to turn Unknown.
CREATE TABLE flip (
    node TEXT NOT NULL,
    -- When it was seen, by the node's wall clock.
    seen_ns INTEGER NOT NULL,
    -- Time since the last heartbeat. NULL: not known.
    after_ns INTEGER,
    kept_ns INTEGER NOT NULL,
    UNIQUE (node, seen_ns)
) STRICT;
CREATE INDEX flip_kept ON flip (kept_ns);

-- The same for people: seconds and readable times.
CREATE VIEW gaps AS
SELECT
    node,
    duration_ns / 1e9 AS seconds,
    strftime('%Y-%m-%dT%H:%M:%fZ', start_ns / 1e9, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', end_ns / 1e9, 'unixepoch') AS ended,
    start_channel,
    end_channel,
    uncertainty_ns / 1e9 AS uncertainty_seconds,
    flip_seen
FROM gap;

CREATE VIEW flips AS
SELECT
    node,
    strftime('%Y-%m-%dT%H:%M:%fZ', seen_ns / 1e9, 'unixepoch') AS seen,
    after_ns / 1e9 AS seconds_without_heartbeat
FROM flip;
