-- Version 4: why a gap was long, and which long gaps no figure counts.

-- How much longer it was than gaps of the node usually are. NULL: no longer, or not judged yet.
ALTER TABLE gap ADD COLUMN lateness_ns INTEGER;
-- The cause that accounts for most of that, such as IO_STALLED; UNKNOWN where none accounts for enough. NULL like lateness_ns.
ALTER TABLE gap ADD COLUMN cause TEXT;
-- How much of it the cause accounts for.
ALTER TABLE gap ADD COLUMN cause_ns INTEGER;
-- 1 for a gap over a reboot, and for one whose ends are uncertain because the agent was blind there: it is told, and in no
-- figure.
ALTER TABLE gap ADD COLUMN uncounted INTEGER NOT NULL DEFAULT 0;

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
