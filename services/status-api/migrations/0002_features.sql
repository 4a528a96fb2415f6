-- Features: which sets a job asks for, how many rows of them are stored, and which chunks have theirs.
-- What was folded before holds no features, so that the defaults are what a replay gives.

ALTER TABLE submissions
    ADD COLUMN feature_sets text[] NOT NULL DEFAULT '{}';

-- chunks_stored: candles of the chunk are stored; chunks_featurized: its features are too, or it has
-- no candles of its own (feature_chunks counts these, as they become known). chunks_done is the one or the
-- other, by what the task asks for.
ALTER TABLE jobs
    ADD COLUMN feature_chunks bigint NOT NULL DEFAULT 0,
    ADD COLUMN chunks_stored bigint NOT NULL DEFAULT 0,
    ADD COLUMN chunks_featurized bigint NOT NULL DEFAULT 0,
    ADD COLUMN features_stored bigint NOT NULL DEFAULT 0;
UPDATE jobs SET chunks_stored = chunks_done;

ALTER TABLE tasks
    ADD COLUMN features boolean NOT NULL DEFAULT false,
    ADD COLUMN feature_chunks bigint NOT NULL DEFAULT 0,
    ADD COLUMN chunks_stored bigint NOT NULL DEFAULT 0,
    ADD COLUMN chunks_featurized bigint NOT NULL DEFAULT 0,
    ADD COLUMN features_stored bigint NOT NULL DEFAULT 0;
UPDATE tasks SET chunks_stored = chunks_done;

ALTER TABLE chunks
    ADD COLUMN route text NOT NULL DEFAULT 'rest',
    ADD COLUMN stored boolean NOT NULL DEFAULT false,
    ADD COLUMN featurized boolean NOT NULL DEFAULT false;
UPDATE chunks SET stored = true WHERE state = 'stored';
