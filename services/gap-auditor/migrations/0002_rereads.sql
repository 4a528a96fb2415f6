-- Ranges that were read too early to be final, and are read again by a job at `due_at`.
CREATE TABLE rereads (
    exchange   text NOT NULL,
    symbol     text NOT NULL,
    timeframe  text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,
    tries      smallint NOT NULL,   -- jobs that were asked to
    job_id     uuid,                -- the last of them
    PRIMARY KEY (exchange, symbol, timeframe, start_time)
);

CREATE INDEX rereads_due ON rereads (due_at);
