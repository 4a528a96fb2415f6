-- What was said of jobs and their tasks, and the gaps in the ranges of those that ended.
-- Locks are taken in this order: consumed offsets, jobs, series.

CREATE TABLE jobs (
    job_id  uuid PRIMARY KEY,
    version integer NOT NULL,
    ended   boolean NOT NULL
);

CREATE TABLE tasks (
    task_id    uuid PRIMARY KEY,
    job_id     uuid NOT NULL,
    exchange   text NOT NULL,
    symbol     text NOT NULL,
    timeframe  text NOT NULL,
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    version    integer NOT NULL DEFAULT 0,  -- of the newest state
    ended      boolean NOT NULL DEFAULT false
);

-- Whoever audits a series, or writes its gaps, locks its row before it reads anything: so what is
-- written last was read last.
CREATE TABLE series (
    exchange  text NOT NULL,
    symbol    text NOT NULL,
    timeframe text NOT NULL,
    PRIMARY KEY (exchange, symbol, timeframe)
);

-- The id follows from series and start. The open gaps of a series neither touch nor overlap.
CREATE TABLE gaps (
    gap_id      uuid PRIMARY KEY,
    version     bigint NOT NULL,            -- rises with every event of the gap
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    timeframe   text NOT NULL,
    start_time  timestamptz NOT NULL,
    end_time    timestamptz NOT NULL,
    state       text NOT NULL,              -- detected, filling, unfillable, failed; filled, merged
    open        boolean NOT NULL GENERATED ALWAYS AS (state NOT IN ('filled', 'merged')) STORED,
    job_id      uuid,                       -- the repair that was last to ask for it
    detected_at timestamptz NOT NULL,
    changed_at  timestamptz NOT NULL
);

CREATE INDEX gaps_open ON gaps (exchange, symbol, timeframe, start_time) WHERE open;
CREATE INDEX gaps_filling ON gaps (job_id) WHERE state = 'filling';

-- Events to be published, in this order; a row goes once the log has it.
CREATE TABLE outbox (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic   text NOT NULL,
    key     bytea NOT NULL,
    value   bytea NOT NULL,
    headers jsonb NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE consumed_offsets (
    topic       text NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);
