-- Jobs and tasks are paused, resumed and retried.

-- Correlation id of the last command that changed the job.
ALTER TABLE jobs RENAME COLUMN cancelled_by TO steered_by;
ALTER TABLE jobs ADD COLUMN tasks_cancelled integer NOT NULL DEFAULT 0;

-- Of a task that is paused or over nothing is released. Its queues and ranges, and those of its
-- chunks that are not through, are kept until it is completed, for a retry.
ALTER TABLE queues ADD COLUMN held boolean NOT NULL DEFAULT false;
DROP INDEX queues_unreleased;
CREATE INDEX queues_unreleased ON queues (job_id, route, cursor, position)
    WHERE cursor < chunks_total AND NOT held;

-- Chunks of such a task that nobody was asked for, or has answered, are held.
DROP INDEX chunks_in_flight;
CREATE INDEX chunks_in_flight ON chunks (exchange, route, due_at)
    WHERE state NOT IN ('failed', 'held');
