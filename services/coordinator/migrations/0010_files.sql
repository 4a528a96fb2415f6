-- The ledger of archive files: what was read of each, or why it was refused. A file is superseded
-- when another one was read that holds all of it; `message` then names that one.
CREATE TABLE files (
    archive     text NOT NULL,
    path        text NOT NULL,
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    timeframe   text NOT NULL,
    version     text NOT NULL,
    sha256      text NOT NULL,
    size        bigint NOT NULL,
    rows        bigint NOT NULL,
    quarantined bigint NOT NULL,
    first_time  timestamptz,         -- open time of the first row that was asked for
    last_time   timestamptz,
    status      text NOT NULL,       -- read, refused, superseded
    message     text,
    read_at     timestamptz NOT NULL,
    PRIMARY KEY (archive, path)
);

CREATE INDEX files_of_series ON files (exchange, symbol, timeframe);
