-- Version 6: the log by commits and heartbeats without an index of their own, so that what comes with every commit is added at
-- the end of two tables and touches nothing else.

-- What version 5 left, a row for each batch: read at a start, and gone once every node of it has a snapshot.
ALTER TABLE log RENAME TO log_5;
DROP INDEX log_node;

-- Batches in the order in which they were taken, those of one commit in a row, until snapshots of all their nodes hold what they
-- said. They are acknowledged once the row is here.
CREATE TABLE log (
    -- Each one more than the one before, and never used again, so that a snapshot can say up to which row it holds.
    id INTEGER PRIMARY KEY,
    -- nodegrace.store.v1.LoggedBatches.
    batches BLOB NOT NULL
) STRICT;

-- Nodes that were forgotten while the log still had something of them.
CREATE TABLE forgotten (
    name TEXT PRIMARY KEY,
    -- The last row of the log that says nothing of it any more.
    log_id INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The last row the log ever had, and the last one of which the heartbeats became rows.
ALTER TABLE state ADD COLUMN log_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN told_log_id INTEGER NOT NULL DEFAULT 0;
UPDATE state SET log_id = coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'log_5'), 0);

-- Of a run that another one took the place of: its last heartbeat, so that it is known when none of it is left. NULL: it may go on.
ALTER TABLE agent ADD COLUMN last_heartbeat INTEGER;

-- What version 5 left, with its unique index: it goes as it grows too old. To copy it would take several times its room.
DROP VIEW heartbeats;
ALTER TABLE heartbeat RENAME TO heartbeat_5;

-- Heartbeats in the order in which they were kept; ids go on where those of version 5 ended. Times are nanoseconds since the Unix epoch, by the node's wall clock; kept_ns
-- by the aggregator's.
CREATE TABLE heartbeat (
    id INTEGER PRIMARY KEY,
    agent INTEGER NOT NULL,
    sequence_number INTEGER NOT NULL,
    -- nodegrace.v1.Channel: 1 is LEASE, 2 is NODE_STATUS.
    channel INTEGER NOT NULL,
    -- The kubelet's stamp.
    stamp_ns INTEGER NOT NULL,
    -- When it reached the agent, by its wall clock and since boot.
    arrival_ns INTEGER NOT NULL,
    arrival_since_boot_ns INTEGER NOT NULL,
    -- How much earlier it may have arrived.
    uncertainty_ns INTEGER NOT NULL,
    -- 1 for what a run of the agent found when it began; no figure counts it.
    baseline INTEGER NOT NULL,
    -- Of the object that carried it.
    resource_version TEXT NOT NULL,
    kept_ns INTEGER NOT NULL
) STRICT;

-- The same for people: names, seconds and readable times.
CREATE VIEW heartbeats AS
SELECT
    agent.node,
    CASE heartbeat.channel WHEN 1 THEN 'LEASE' ELSE 'NODE_STATUS' END AS channel,
    strftime('%Y-%m-%dT%H:%M:%fZ', stamp_ns / 1e9, 'unixepoch') AS stamped,
    strftime('%Y-%m-%dT%H:%M:%fZ', arrival_ns / 1e9, 'unixepoch') AS arrived,
    arrival_since_boot_ns / 1e9 AS arrived_seconds_since_boot,
    uncertainty_ns / 1e9 AS uncertainty_seconds,
    baseline,
    resource_version,
    agent.boot_id,
    agent.start_ns / 1e9 AS agent_started_seconds_since_boot,
    sequence_number
FROM (SELECT * FROM heartbeat_5 UNION ALL SELECT * FROM heartbeat) AS heartbeat JOIN agent ON agent.id = heartbeat.agent;
