-- The projection of jobs.commands and progress. Every column comes from events alone, never from
-- the projector's clock, so that replaying both topics into empty tables gives equal ones.

-- Next offset to fold, moved in the transaction of the rows.
CREATE TABLE consumed_offsets (
    topic text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- Names the consumer group of this projection: an empty one has a new name, so it reads both
-- topics from zero whatever another one has committed.
CREATE TABLE projection (
    id uuid NOT NULL DEFAULT gen_random_uuid()
);
INSERT INTO projection DEFAULT VALUES;

-- What was asked for; written from jobs.commands alone, the first command of a job wins.
CREATE TABLE submissions (
    job_id uuid PRIMARY KEY,
    command_partition int NOT NULL,
    command_offset bigint NOT NULL,
    kind text NOT NULL,
    exchange text NOT NULL,
    symbols text[] NOT NULL,
    timeframes text[] NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    source text NOT NULL,
    features boolean NOT NULL,
    incremental boolean NOT NULL,
    priority smallint NOT NULL,
    max_attempts smallint NOT NULL,
    label text,
    submitted_by text NOT NULL,
    submitted_at timestamptz NOT NULL,
    request_digest text
);
CREATE INDEX submissions_newest ON submissions (submitted_at DESC, job_id DESC);
CREATE INDEX submissions_position ON submissions (command_partition, command_offset);

-- How far jobs are; written from progress alone. A row may stand before its submission does.
CREATE TABLE jobs (
    job_id uuid PRIMARY KEY,
    progress_partition int NOT NULL,
    progress_offset bigint NOT NULL,
    version bigint NOT NULL,
    state text NOT NULL,
    reason text,
    accepted_at timestamptz,
    started_at timestamptz,
    completed_at timestamptz,
    tasks_total int NOT NULL,
    tasks_done int NOT NULL,
    tasks_failed int NOT NULL,
    chunks_total bigint NOT NULL,
    chunks_fetched bigint NOT NULL,
    chunks_done bigint NOT NULL,
    chunks_failed bigint NOT NULL,
    slots_expected bigint NOT NULL,
    slots_covered bigint NOT NULL,
    slots_explained bigint NOT NULL,
    candles_fetched bigint NOT NULL,
    candles_stored bigint NOT NULL,
    quarantined bigint NOT NULL,
    attempts int NOT NULL,
    error_code text,
    error_message text,
    error_transient boolean
);
CREATE INDEX jobs_position ON jobs (progress_partition, progress_offset);
CREATE INDEX jobs_completed ON jobs (completed_at);

-- The series of a job; exchange and what follows it are null until TaskPlanned was folded.
CREATE TABLE tasks (
    task_id uuid PRIMARY KEY,
    job_id uuid NOT NULL,
    progress_offset bigint NOT NULL,
    planned_offset bigint,
    exchange text,
    symbol text,
    timeframe text,
    range_start timestamptz,
    range_end timestamptz,
    route text,
    route_reason text,
    planned_at timestamptz,
    version bigint NOT NULL,
    state text NOT NULL,
    reason text,
    started_at timestamptz,
    completed_at timestamptz,
    current_open_time timestamptz,
    chunks_total bigint NOT NULL,
    chunks_fetched bigint NOT NULL,
    chunks_done bigint NOT NULL,
    chunks_failed bigint NOT NULL,
    slots_expected bigint NOT NULL,
    slots_covered bigint NOT NULL,
    slots_explained bigint NOT NULL,
    candles_fetched bigint NOT NULL,
    candles_stored bigint NOT NULL,
    quarantined bigint NOT NULL,
    attempts int NOT NULL,
    error_code text,
    error_message text,
    error_transient boolean
);
CREATE INDEX tasks_order ON tasks (job_id, planned_offset);
CREATE INDEX tasks_position ON tasks (job_id, progress_offset);

-- What is known of a chunk that was fetched, given up or stored; makes repeated events harmless.
CREATE TABLE chunks (
    chunk_id uuid PRIMARY KEY,
    job_id uuid NOT NULL,
    task_id uuid NOT NULL,
    state text NOT NULL,
    generation int NOT NULL,
    release int NOT NULL,
    fetched boolean NOT NULL,
    parts_stored int NOT NULL
);
CREATE INDEX chunks_of_task ON chunks (task_id);

-- The coordinator's answers to commands, by correlation id.
CREATE TABLE answers (
    correlation_id uuid PRIMARY KEY,
    job_id uuid NOT NULL,
    command text NOT NULL,
    accepted boolean NOT NULL,
    code text NOT NULL,
    reason text NOT NULL,
    answered_at timestamptz NOT NULL
);
