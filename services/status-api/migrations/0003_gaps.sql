-- Gaps, and how complete audits found the ranges of tasks. What was folded before holds neither, so
-- that the defaults are what a replay gives.

-- Of a task the newest audit counts; of a job the sum over its tasks. `missing` are the first periods
-- that are unknown: [{"start": …, "end": …}, …].
ALTER TABLE jobs
    ADD COLUMN slots_audited bigint NOT NULL DEFAULT 0,
    ADD COLUMN slots_unknown bigint NOT NULL DEFAULT 0;
ALTER TABLE tasks
    ADD COLUMN slots_audited bigint NOT NULL DEFAULT 0,
    ADD COLUMN slots_unknown bigint NOT NULL DEFAULT 0,
    ADD COLUMN missing jsonb NOT NULL DEFAULT '[]';
CREATE INDEX tasks_missing ON tasks (job_id, planned_offset) WHERE slots_unknown > 0;

-- A gap as it was last told of; written from the topic gaps alone.
CREATE TABLE gaps (
    gap_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    exchange text NOT NULL,
    symbol text NOT NULL,
    timeframe text NOT NULL,
    range_start timestamptz NOT NULL,
    range_end timestamptz NOT NULL,
    slots bigint NOT NULL,
    state text NOT NULL,
    job_id uuid,
    detected_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE INDEX gaps_order ON gaps (exchange, symbol, timeframe, range_start, gap_id);

-- Which job was told to fill which gap; written from jobs.commands alone.
CREATE TABLE gap_fills (
    fill_id uuid PRIMARY KEY,
    gap_id uuid NOT NULL,
    job_id uuid NOT NULL
);
CREATE INDEX gap_fills_of_gap ON gap_fills (gap_id);
