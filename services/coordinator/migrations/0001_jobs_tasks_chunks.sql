-- Jobs, their tasks, and the chunks that were released and are not stored yet.
-- Whoever writes rows or events of a job locks its row in `jobs` first: that orders the events of a
-- job in the outbox, and keeps writers from waiting for each other in a circle.

CREATE TABLE jobs (
    job_id            uuid PRIMARY KEY,
    exchange          text NOT NULL,
    priority          smallint NOT NULL,
    max_attempts      smallint NOT NULL,
    status            text NOT NULL,
    version           integer NOT NULL,
    generation        integer NOT NULL,
    tasks_total       integer NOT NULL,
    tasks_completed   integer NOT NULL DEFAULT 0,
    tasks_with_errors integer NOT NULL DEFAULT 0,
    tasks_failed      integer NOT NULL DEFAULT 0,
    chunks_unreleased integer NOT NULL,
    cancelled_by      uuid,             -- correlation id of the command that cancelled the job
    submitted_at      timestamptz NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX jobs_open ON jobs (exchange, submitted_at) WHERE status IN ('queued', 'running');

CREATE TABLE tasks (
    job_id          uuid NOT NULL REFERENCES jobs,
    task_id         uuid NOT NULL,
    position        integer NOT NULL,   -- place in the job
    symbol          text NOT NULL,
    timeframe       text NOT NULL,
    status          text NOT NULL,
    version         integer NOT NULL DEFAULT 0,
    page_size       integer NOT NULL,
    cursor          integer NOT NULL DEFAULT 0,  -- chunks below it were released
    chunks_total    integer NOT NULL,
    chunks_stored   integer NOT NULL DEFAULT 0,
    chunks_failed   integer NOT NULL DEFAULT 0,
    slots_asked     bigint NOT NULL,
    slots_explained bigint NOT NULL DEFAULT 0,
    quarantined     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, task_id)
) WITH (fillfactor = 70);

CREATE INDEX tasks_unreleased ON tasks (job_id, cursor, position) WHERE cursor < chunks_total;

-- What of a task is asked for. Chunks are numbered over the ranges of a task; rows go with its end.
CREATE TABLE ranges (
    task_id     uuid NOT NULL,
    end_chunk   integer NOT NULL,
    first_chunk integer NOT NULL,
    start_time  timestamptz NOT NULL,
    end_time    timestamptz NOT NULL,
    PRIMARY KEY (task_id, end_chunk)
);

-- A row lives from the first release of a chunk until it is stored or its task is over.
CREATE TABLE chunks (
    task_id    uuid NOT NULL,
    chunk_id   uuid NOT NULL,
    job_id     uuid NOT NULL,
    exchange   text NOT NULL,
    state      text NOT NULL,           -- released, fetched, waiting, failed
    generation integer NOT NULL,
    release    integer NOT NULL,
    attempt    smallint NOT NULL,
    lapses     smallint NOT NULL,       -- leases lost
    due_at     timestamptz,             -- when to release it again: end of the lease or of the wait
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    slots      integer NOT NULL,
    PRIMARY KEY (task_id, chunk_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX chunks_in_flight ON chunks (exchange, due_at) WHERE state <> 'failed';

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
