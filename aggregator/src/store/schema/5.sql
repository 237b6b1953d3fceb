-- Version 5: long gaps that no figure counts.

-- 1 for a gap over a reboot, and for one whose ends are uncertain because the agent was blind there: it is told, and in no
-- figure.
ALTER TABLE gap ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;
UPDATE gap SET uncounted = 1 WHERE cause = 'NODE_REBOOTED';

DROP VIEW gaps;
CREATE VIEW gaps AS
SELECT
    node,
    duration_ns / 1e9 AS seconds,
    strftime('%Y-%m-%dT%H:%M:%fZ', start_ns / 1e9, 'unixepoch') AS started,
    strftime('%Y-%m-%dT%H:%M:%fZ', end_ns / 1e9, 'unixepoch') AS ended,
    start_channel,
    end_channel,
    uncertainty_ns / 1e9 AS uncertainty_seconds,
    uncounted,
    flip_seen,
    lateness_ns / 1e9 AS late_by_seconds,
    cause,
    cause_ns / 1e9 AS cause_seconds
FROM gap;
