-- Version 3: which history this is, so that agents notice when another one is kept at an address they know.

-- One row.
CREATE TABLE history (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- 16 random bytes.
    id BLOB NOT NULL
) STRICT;
INSERT INTO history VALUES (1, randomblob(16));
