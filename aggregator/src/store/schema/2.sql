-- Version 2: the heartbeats of the last hours, a row each, so that what figures rest on can be looked at one by one.

-- Runs of agents that any heartbeat kept here came from. Never used again, so that a row of a forgotten run is no other's.
CREATE TABLE agent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    start_ns INTEGER NOT NULL,
    UNIQUE (node, boot_id, start_ns)
) STRICT;

-- Heartbeats in the order in which they were kept. Times are nanoseconds since the Unix epoch, by the node's wall clock; kept_ns
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
    kept_ns INTEGER NOT NULL,
    UNIQUE (agent, sequence_number)
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
FROM heartbeat JOIN agent ON agent.id = heartbeat.agent;
