-- Chunks that go on after a stop are ready, and wait for credit like those that were never released.
DROP INDEX chunks_in_flight;
CREATE INDEX chunks_in_flight ON chunks (exchange, route, due_at)
    WHERE state NOT IN ('failed', 'held', 'ready');
CREATE INDEX chunks_ready ON chunks (job_id, route, start_time, chunk_id) WHERE state = 'ready';

-- What may just have been stored, and whose features are still to come.
CREATE INDEX chunks_awaiting_features ON chunks (exchange)
    WHERE route = 'rest' AND awaits_features;

-- A paused job is open too.
DROP INDEX jobs_open;
CREATE INDEX jobs_open ON jobs (exchange, submitted_at)
    WHERE status IN ('queued', 'running', 'paused');
