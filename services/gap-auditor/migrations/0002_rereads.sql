-- What was read too early to be final: at most one range of a series, read again by a job at `due_at`.
CREATE TABLE rereads (
    exchange   text NOT NULL,
    symbol     text NOT NULL,
    timeframe  text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    tries      smallint NOT NULL,   -- jobs that were asked to
    job_id     uuid,                -- the last of them
    PRIMARY KEY (exchange, symbol, timeframe)
);

CREATE INDEX rereads_due ON rereads (due_at);
