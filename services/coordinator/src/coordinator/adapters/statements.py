"""The SQL of the coordinator's schema. Sets of rows come as arrays: one statement a set."""

from typing import Final

# jobs

INSERT_JOB: Final = """
INSERT INTO jobs (job_id, exchange, priority, max_attempts, status, version, generation,
                  tasks_total, submitted_at)
VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)
ON CONFLICT (job_id) DO NOTHING
RETURNING job_id
"""

INSERT_CLAIMS: Final = """
INSERT INTO claims (job_id, route, chunks)
SELECT $1, route, chunks FROM unnest($2::text[], $3::int[]) AS new (route, chunks)
"""

PLAN_JOB: Final = """
UPDATE jobs SET tasks_total = $2, tasks_completed = $3, tasks_with_errors = $4 WHERE job_id = $1
"""

WAS_REFUSED: Final = """
SELECT EXISTS (SELECT FROM jobs WHERE job_id = $1 AND status = 'failed' AND version = 1)
"""

LOCK_JOBS: Final = """
SELECT job_id, exchange, status, version, generation, max_attempts, steered_by
FROM jobs WHERE job_id = ANY($1::uuid[]) ORDER BY job_id FOR NO KEY UPDATE
"""

LOCK_OPEN_JOBS: Final = """
SELECT job_id, exchange, status, version, generation, max_attempts, steered_by
FROM jobs WHERE status IN ('queued', 'running', 'paused') ORDER BY job_id FOR NO KEY UPDATE
"""

OPEN_LANES: Final = """
SELECT DISTINCT exchange, route FROM jobs JOIN claims USING (job_id)
WHERE status IN ('queued', 'running', 'paused')
"""

CLAIMS: Final = """
SELECT jobs.job_id, priority, claims.chunks + ready.chunks
FROM jobs JOIN claims ON claims.job_id = jobs.job_id AND route = $2
CROSS JOIN LATERAL (
    SELECT count(*) AS chunks FROM (
        SELECT FROM chunks
        WHERE chunks.job_id = jobs.job_id AND chunks.route = $2 AND state = 'ready' LIMIT $3
    ) AS enough
) AS ready
WHERE exchange = $1 AND status IN ('queued', 'running') AND claims.chunks + ready.chunks > 0
ORDER BY submitted_at, jobs.job_id
"""

MOVE_JOB: Final = """
UPDATE jobs SET status = $2, version = version + 1 WHERE job_id = $1
"""

NOTE_COMMAND: Final = "UPDATE jobs SET steered_by = $2 WHERE job_id = $1"

FENCE_JOB: Final = "UPDATE jobs SET generation = $2 WHERE job_id = $1"

COUNT_CLAIMS: Final = """
INSERT INTO claims (job_id, route, chunks)
SELECT job_id, route, coalesce(sum(chunks_total - cursor) FILTER (WHERE NOT held), 0)
FROM queues WHERE job_id = $1 GROUP BY job_id, route
ON CONFLICT (job_id, route) DO UPDATE SET chunks = excluded.chunks
"""

COUNT_RELEASED: Final = """
UPDATE claims SET chunks = claims.chunks - released.chunks
FROM unnest($1::uuid[], $2::int[]) AS released (job_id, chunks)
WHERE claims.job_id = released.job_id AND route = $3
"""

FORGET_CLAIMS: Final = "DELETE FROM claims WHERE job_id = ANY($1::uuid[])"

COUNT_TASKS: Final = """
UPDATE jobs SET tasks_completed = tasks_completed + ended.completed,
                tasks_with_errors = tasks_with_errors + ended.with_errors,
                tasks_failed = tasks_failed + ended.failed,
                tasks_cancelled = tasks_cancelled + ended.cancelled
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[])
     AS ended (job_id, completed, with_errors, failed, cancelled)
WHERE jobs.job_id = ended.job_id
"""

TASK_COUNTS: Final = """
SELECT job_id, tasks_total, tasks_completed, tasks_with_errors, tasks_failed, tasks_cancelled
FROM jobs WHERE job_id = ANY($1::uuid[])
"""

# submissions

INSERT_SUBMISSION: Final = "INSERT INTO submissions (job_id, type, command) VALUES ($1, $2, $3)"

OLDEST_SUBMISSION: Final = """
SELECT type, command FROM submissions JOIN jobs USING (job_id)
WHERE status IN ('pending', 'queued') AND job_id <> ALL($1::uuid[])
ORDER BY submitted_at, job_id LIMIT 1
"""

SUBMISSION_OF_JOB: Final = "SELECT type, command FROM submissions WHERE job_id = $1"

FORGET_SUBMISSION: Final = "DELETE FROM submissions WHERE job_id = $1 RETURNING job_id"

# tasks

NEXT_TASKS: Final = """
SELECT next.job_id, next.task_id, next.cursor, next.chunks_total, next.position
FROM unnest($1::uuid[], $2::int[]) AS share (job_id, chunks)
CROSS JOIN LATERAL (
    SELECT * FROM queues
    WHERE queues.job_id = share.job_id AND route = $3 AND cursor < chunks_total AND NOT held
    ORDER BY cursor, position LIMIT share.chunks
) AS next
"""

ADVANCE_CURSORS: Final = """
WITH advanced AS (
    UPDATE queues SET cursor = cursor + taken.chunks
    FROM unnest($1::uuid[], $2::uuid[], $3::int[]) AS taken (job_id, task_id, chunks)
    WHERE queues.job_id = taken.job_id AND queues.task_id = taken.task_id AND route = $4
    RETURNING queues.*, cursor - taken.chunks AS first
)
SELECT advanced.job_id, advanced.task_id, symbol, timeframe, piece_slots, first, cursor,
       first_chunk, end_chunk, start_time, end_time, feature_sets, build, file_path, file_version
FROM advanced
JOIN tasks ON tasks.job_id = advanced.job_id AND tasks.task_id = advanced.task_id
CROSS JOIN LATERAL (
    SELECT * FROM ranges
    WHERE ranges.task_id = advanced.task_id AND ranges.route = advanced.route
          AND end_chunk > first
    ORDER BY end_chunk LIMIT cursor - first
) AS planned
WHERE first_chunk < cursor
ORDER BY advanced.job_id, advanced.position, end_chunk
"""

MOVE_TASKS: Final = """
UPDATE tasks SET status = moved.status, version = version + 1
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS moved (job_id, task_id, status)
WHERE tasks.job_id = moved.job_id AND tasks.task_id = moved.task_id
RETURNING tasks.job_id, tasks.task_id, tasks.status, version
"""

TASKS_TO_STEER: Final = """
SELECT task_id, symbol, status,
       EXISTS (SELECT FROM queues WHERE queues.task_id = tasks.task_id) AS planned,
       chunks_total, chunks_stored, chunks_failed, slots_asked, slots_explained, quarantined
FROM tasks WHERE job_id = $1 ORDER BY position
"""

STOPPED_TASKS: Final = """
SELECT job_id, task_id FROM tasks
WHERE job_id = ANY($1::uuid[]) AND status IN ('paused', 'cancelled') ORDER BY job_id, position
"""

HOLD_QUEUES: Final = "UPDATE queues SET held = $2 WHERE task_id = ANY($1::uuid[])"

QUEUED_TASKS: Final = """
SELECT tasks.job_id, tasks.task_id, status
FROM tasks JOIN unnest($1::uuid[], $2::uuid[]) AS wanted (job_id, task_id)
     ON tasks.job_id = wanted.job_id AND tasks.task_id = wanted.task_id
WHERE status = 'queued'
"""

COUNT_CHUNKS: Final = """
UPDATE tasks SET chunks_stored = chunks_stored + change.stored,
                 chunks_failed = chunks_failed + change.failed,
                 slots_explained = slots_explained + change.slots,
                 quarantined = tasks.quarantined + change.quarantined
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::bigint[], $6::bigint[])
     AS change (job_id, task_id, stored, failed, slots, quarantined)
WHERE tasks.job_id = change.job_id AND tasks.task_id = change.task_id
RETURNING tasks.job_id, tasks.task_id, status, chunks_total, chunks_stored, chunks_failed,
          slots_asked, slots_explained, tasks.quarantined
"""

FORGET_QUEUES: Final = "DELETE FROM queues WHERE task_id = ANY($1::uuid[])"

FORGET_RANGES: Final = "DELETE FROM ranges WHERE task_id = ANY($1::uuid[])"

FORGET_CHUNKS_OF_JOB: Final = """
DELETE FROM chunks WHERE job_id = $1
    AND NOT (route <> 'features' AND awaits_features
             AND NOT (state = 'failed' AND awaits_candles AND parts = 0))
"""

FORGET_PLANS_OF_JOB: Final = """
WITH of_job AS (DELETE FROM queues WHERE job_id = $1 RETURNING task_id)
DELETE FROM ranges USING of_job WHERE ranges.task_id = of_job.task_id
"""

FORGET_TASKS_OF_JOB: Final = """
DELETE FROM tasks WHERE job_id = $1 AND NOT EXISTS (
    SELECT FROM chunks WHERE chunks.job_id = tasks.job_id AND chunks.task_id = tasks.task_id
)
"""

# chunks

LOCK_EXCHANGE: Final = """
SELECT pg_advisory_xact_lock(hashtextextended('coordinator.release.' || $1, 0))
"""

IN_FLIGHT: Final = """
SELECT count(*) AS chunks,
       coalesce(array_agg(DISTINCT chunks.job_id) FILTER (WHERE due_at <= $3), '{}') AS jobs_due
FROM chunks JOIN tasks ON tasks.job_id = chunks.job_id AND tasks.task_id = chunks.task_id
WHERE chunks.exchange = $1 AND route = $2 AND state NOT IN ('failed', 'held', 'ready')
      AND tasks.status IN ('queued', 'running')
"""

DUE_CHUNKS: Final = """
SELECT chunks.*, symbol, timeframe
FROM chunks JOIN tasks ON tasks.job_id = chunks.job_id AND tasks.task_id = chunks.task_id
WHERE chunks.exchange = $1 AND route = $2 AND due_at <= $3
      AND state NOT IN ('failed', 'held', 'ready')
      AND chunks.job_id = ANY($4::uuid[]) AND tasks.status IN ('queued', 'running')
ORDER BY start_time, chunk_id
"""

READY_CHUNKS: Final = """
SELECT ready.*, symbol, timeframe
FROM unnest($1::uuid[], $2::int[]) AS share (job_id, chunks)
CROSS JOIN LATERAL (
    SELECT * FROM chunks
    WHERE chunks.job_id = share.job_id AND route = $3 AND state = 'ready'
    ORDER BY start_time, chunk_id LIMIT share.chunks
) AS ready
JOIN tasks ON tasks.job_id = ready.job_id AND tasks.task_id = ready.task_id
ORDER BY start_time, chunk_id
"""

READ_CHUNKS: Final = """
SELECT chunks.job_id, chunks.task_id, chunks.chunk_id, route, state, generation, release, attempt,
       due_at, awaits_candles, awaits_features, parts
FROM chunks JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS wanted (job_id, task_id, chunk_id)
     ON chunks.task_id = wanted.task_id AND chunks.chunk_id = wanted.chunk_id
        AND chunks.job_id = wanted.job_id
"""

RELEASE_AGAIN: Final = """
UPDATE chunks SET state = 'released', generation = again.generation, release = again.release,
                  last_release = again.release, lapses = again.lapses, due_at = again.due_at
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::int[], $5::int[], $6::timestamptz[])
     AS again (task_id, chunk_id, generation, release, lapses, due_at)
WHERE chunks.task_id = again.task_id AND chunks.chunk_id = again.chunk_id
"""

CHANGE_CHUNKS: Final = """
UPDATE chunks SET state = changed.state, generation = changed.generation,
                  release = changed.release, attempt = changed.attempt, due_at = changed.due_at,
                  awaits_candles = changed.awaits_candles,
                  awaits_features = changed.awaits_features, parts = changed.parts
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::int[],
            $7::timestamptz[], $8::bool[], $9::bool[], $10::int[])
     AS changed (task_id, chunk_id, state, generation, release, attempt, due_at, awaits_candles,
                 awaits_features, parts)
WHERE chunks.task_id = changed.task_id AND chunks.chunk_id = changed.chunk_id
"""

FORGET_CHUNKS: Final = """
DELETE FROM chunks USING unnest($1::uuid[], $2::uuid[]) AS stored (task_id, chunk_id)
WHERE chunks.task_id = stored.task_id AND chunks.chunk_id = stored.chunk_id
"""

FORGET_CHUNKS_OF_TASKS: Final = "DELETE FROM chunks WHERE task_id = ANY($1::uuid[])"

HOLD_CHUNKS: Final = """
UPDATE chunks SET state = 'held', due_at = NULL
WHERE task_id = ANY($1::uuid[]) AND state IN ('released', 'waiting', 'ready')
"""

GO_ON_WITH_CHUNKS: Final = """
UPDATE chunks SET state = 'ready', generation = $2,
                  attempt = CASE state WHEN 'failed' THEN 1 ELSE attempt END
WHERE task_id = ANY($1::uuid[]) AND state IN ('held', 'failed')
"""

RENEW_LEASES: Final = """
UPDATE chunks SET due_at = $1 FROM tasks
WHERE tasks.job_id = chunks.job_id AND tasks.task_id = chunks.task_id
      AND tasks.status IN ('queued', 'running', 'paused')
      AND state IN ('released', 'fetched') AND due_at < $1
"""

# series_features

MARK_SERIES: Final = """
INSERT INTO series_features (exchange, symbol, timeframe, feature_set, job_id)
SELECT $1, symbol, timeframe, feature_set, $5
FROM unnest($2::text[], $3::text[]) AS named (symbol, timeframe)
CROSS JOIN unnest($4::text[]) AS asked (feature_set)
ORDER BY symbol, timeframe, feature_set
ON CONFLICT DO NOTHING RETURNING symbol, timeframe, feature_set
"""

MARKS_OF_SERIES: Final = """
SELECT symbol, timeframe, feature_set, complete
FROM series_features JOIN unnest($2::text[], $3::text[]) AS named (symbol, timeframe)
     USING (symbol, timeframe)
WHERE exchange = $1
ORDER BY symbol, timeframe, feature_set
"""

COMPLETE_MARKS: Final = """
UPDATE series_features AS mark SET complete = true, job_id = tasks.job_id
FROM queues
JOIN tasks ON tasks.job_id = queues.job_id AND tasks.task_id = queues.task_id
JOIN jobs ON jobs.job_id = queues.job_id
JOIN ranges ON ranges.task_id = queues.task_id AND ranges.route = queues.route
WHERE queues.task_id = ANY($1::uuid[]) AND queues.route = 'features'
      AND queues.cursor = queues.chunks_total
      AND NOT EXISTS (
          SELECT FROM chunks WHERE chunks.task_id = queues.task_id AND chunks.route = 'features'
      )
      AND mark.exchange = jobs.exchange AND mark.symbol = tasks.symbol
      AND mark.timeframe = tasks.timeframe AND mark.feature_set = ANY(ranges.feature_sets)
      AND ranges.build = 0 AND NOT mark.complete
"""

PENDING_RANGES: Final = """
SELECT symbol, timeframe, start_time, end_time
FROM chunks
JOIN tasks ON tasks.job_id = chunks.job_id AND tasks.task_id = chunks.task_id
JOIN unnest($2::text[], $3::text[]) AS named (symbol, timeframe) USING (symbol, timeframe)
WHERE exchange = $1 AND route <> 'features' AND awaits_features
      AND NOT (state = 'failed' AND awaits_candles AND parts = 0)
"""

# files

LOCK_FILES: Final = "SELECT pg_advisory_xact_lock(hashtextextended('coordinator.files', 0))"

KNOWN_FILES: Final = """
SELECT path, version, status, sha256, read_from, read_until, stale_from, stale_until FROM files
WHERE archive = $1 AND path = ANY($2::text[])
"""

READ_FILE: Final = "SELECT * FROM files WHERE archive = $1 AND path = $2"

WRITE_FILE: Final = """
INSERT INTO files (archive, path, exchange, symbol, timeframe, version, sha256, size, rows,
                   quarantined, first_time, last_time, read_from, read_until, stale_from,
                   stale_until, status, message, read_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (archive, path) DO UPDATE SET
    exchange = excluded.exchange, symbol = excluded.symbol, timeframe = excluded.timeframe,
    version = excluded.version, sha256 = excluded.sha256, size = excluded.size,
    rows = excluded.rows, quarantined = excluded.quarantined, first_time = excluded.first_time,
    last_time = excluded.last_time, read_from = excluded.read_from,
    read_until = excluded.read_until, stale_from = excluded.stale_from,
    stale_until = excluded.stale_until, status = excluded.status, message = excluded.message,
    read_at = excluded.read_at
"""

SUPERSEDE_FILES: Final = """
UPDATE files SET status = 'superseded', message = $2
WHERE archive = $1 AND path <> $2 AND status = 'read'
      AND exchange = $3 AND symbol = $4 AND timeframe = $5
      AND first_time >= $6 AND last_time <= $7
"""
