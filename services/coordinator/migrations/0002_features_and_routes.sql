-- Chunks go one of several routes: to the fetchers (rest), or to whoever computes features (features).

-- What of a task is still to be released, by route; a row goes when the task is over.
CREATE TABLE queues (
    job_id       uuid NOT NULL,
    task_id      uuid NOT NULL,
    route        text NOT NULL,
    position     integer NOT NULL,   -- place of the task in the job
    piece_slots  integer NOT NULL,   -- slots of a chunk
    cursor       integer NOT NULL DEFAULT 0,  -- chunks below it were released
    chunks_total integer NOT NULL,
    PRIMARY KEY (task_id, route)
) WITH (fillfactor = 70);

CREATE INDEX queues_unreleased ON queues (job_id, route, cursor, position)
    WHERE cursor < chunks_total;

INSERT INTO queues (job_id, task_id, route, position, piece_slots, cursor, chunks_total)
SELECT job_id, task_id, 'rest', position, page_size, cursor, chunks_total
FROM tasks WHERE status IN ('queued', 'running');

DROP INDEX tasks_unreleased;
ALTER TABLE tasks DROP COLUMN cursor, DROP COLUMN page_size;

-- How many chunks of a job nobody has released yet, by route; a row goes when the job is over.
CREATE TABLE claims (
    job_id uuid NOT NULL REFERENCES jobs,
    route  text NOT NULL,
    chunks integer NOT NULL,
    PRIMARY KEY (job_id, route)
) WITH (fillfactor = 70);

INSERT INTO claims (job_id, route, chunks)
SELECT job_id, 'rest', chunks_unreleased FROM jobs WHERE status IN ('queued', 'running');

ALTER TABLE jobs DROP COLUMN chunks_unreleased;

-- Feature sets are written as name/version: those that the candles of a chunk are computed for.
-- Chunks are numbered over the ranges of a task that go one route.
ALTER TABLE ranges
    ADD COLUMN route text NOT NULL DEFAULT 'rest',
    ADD COLUMN feature_sets text[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT ranges_pkey,
    ADD PRIMARY KEY (task_id, route, end_chunk);

-- A row lives until nothing of the chunk is awaited any more, or its task is over.
ALTER TABLE chunks
    ADD COLUMN route text NOT NULL DEFAULT 'rest',
    ADD COLUMN feature_sets text[] NOT NULL DEFAULT '{}',
    ADD COLUMN awaits_candles boolean NOT NULL DEFAULT true,
    ADD COLUMN awaits_features boolean NOT NULL DEFAULT false;

DROP INDEX chunks_in_flight;
CREATE INDEX chunks_in_flight ON chunks (exchange, route, due_at) WHERE state <> 'failed';

-- Series that have a feature set: whatever is stored of them is computed when it is stored. Complete
-- once that holds of everything stored before, too; until then whoever asks computes it all.
CREATE TABLE series_features (
    exchange    text NOT NULL,
    symbol      text NOT NULL,
    timeframe   text NOT NULL,
    feature_set text NOT NULL,
    complete    boolean NOT NULL DEFAULT false,
    job_id      uuid NOT NULL,       -- the job that completed it, or else the first that asked
    PRIMARY KEY (exchange, symbol, timeframe, feature_set)
);
