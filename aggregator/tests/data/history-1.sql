-- A database of version 1, as `.dump` of sqlite3 writes it.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE flip (
    node TEXT NOT NULL,
    -- When it was seen, by the node's wall clock.
    seen_ns INTEGER NOT NULL,
    -- Time since the last heartbeat. NULL: not known.
    after_ns INTEGER,
    kept_ns INTEGER NOT NULL,
    UNIQUE (node, seen_ns)
) STRICT;
INSERT INTO "flip" VALUES('node-1',1800000110000000000,0,1800000110000000000);
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
INSERT INTO "gap" VALUES('node-1',1800000080000000000,1800000110000000000,30000000000,'LEASE','LEASE',NULL,0,0,1800000110000000000);
INSERT INTO "gap" VALUES('node-1',1800000110000000000,1800000240000000000,130000000000,'LEASE','LEASE',NULL,0,1,1800000240000000000);
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
INSERT INTO "log" VALUES(11,'node-1','boot of node-1',3600000000000,11,11,1,0,0,3840000000000,X'0A066E6F64652D3112240A0E626F6F74206F66206E6F64652D3112060880A4A7DA061A0308901C2205302E312E30180B220308801E2A0608F0A5A7DA06321D080B10011A0608F0A5A7DA06220308801E2A0608F0A5A7DA0632023131520408011001520408021001');
INSERT INTO "log" VALUES(12,'node-1','boot of node-1',3600000000000,12,12,1,0,0,3850000000000,X'0A066E6F64652D3112240A0E626F6F74206F66206E6F64652D3112060880A4A7DA061A0308901C2205302E312E30180C2203088A1E2A0608FAA5A7DA06321D080C10011A0608FAA5A7DA062203088A1E2A0608FAA5A7DA0632023132520408011001520408021001');
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
INSERT INTO "node" VALUES('node-1','boot of node-1',3600000000000,10,9,1,10,1800000130000000000,X'0AE80212190A0E626F6F74206F66206E6F64652D311080C0E285E368180A225608091A1F0A04A803F4041202070118082080D0DBC3F4023080C8AFA0253880D88EE16F220D0A02810A1201091809300038002A1E088098DB8183D2B8FD181201391880D8EDE9FC6B208098DB8183D2B8FD18300148012A061A002200480132200A130880D8EDE9FC6B108098DB8183D2B8FD1818011080D8EDE9FC6B180130013A5F0A1F0A04A803F4041202070118082080D0DBC3F4023080C8AFA0253880D88EE16F121C0A02A80312010718072080F8CCE284023080C8AFA0253880C8AFA0251A1E0880D88EE16F1080C0CCA093D1B8FD18188098DB8183D2B8FD1820012801422B0803121D5265616479434F4E444954494F4E5F5354415455535F554E4B4E4F574E188098DB8183D2B8FD184801521308001880D8EDE9FC6B208098DB8183D2B8FD185A0062006A0E0880D8EDE9FC6B1080D8EDE9FC6B70808892A68869A00180C8FFBD8ECFB8FD1812240A0E626F6F74206F66206E6F64652D3112060880A4A7DA061A0308901C2205302E312E301A04080110011A0408021001');
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
INSERT INTO "state" VALUES(1,3850000000000,1800000250000000000,3600000000000,1800000000000000000,0,0,0);
CREATE INDEX log_node ON log (node, id);
CREATE INDEX gap_kept ON gap (kept_ns);
CREATE INDEX flip_kept ON flip (kept_ns);
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('log',12);
COMMIT;
