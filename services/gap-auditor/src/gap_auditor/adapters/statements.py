"""The SQL of schema `auditor`. Sets of rows come as arrays: one statement a set."""

from typing import Final

# jobs and tasks

NOTE_JOBS: Final = """
INSERT INTO jobs AS kept (job_id, version, ended)
SELECT * FROM unnest($1::uuid[], $2::int[], $3::boolean[])
ON CONFLICT (job_id) DO UPDATE SET version = excluded.version, ended = excluded.ended
WHERE kept.version < excluded.version
"""

LOCK_JOB: Final = """
INSERT INTO jobs AS kept (job_id, version, ended) VALUES ($1, 0, false)
ON CONFLICT (job_id) DO UPDATE SET version = kept.version
RETURNING ended
"""

INSERT_TASKS: Final = """
INSERT INTO tasks (task_id, job_id, exchange, symbol, timeframe, start_time, end_time)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
                     $6::timestamptz[], $7::timestamptz[])
ON CONFLICT (task_id) DO NOTHING
"""

NOTE_TASKS: Final = """
UPDATE tasks SET version = said.version, ended = said.ended
FROM unnest($1::uuid[], $2::int[], $3::boolean[]) AS said (task_id, version, ended)
WHERE tasks.task_id = said.task_id AND tasks.version < said.version
"""

ENDED_TASKS: Final = """
SELECT task_id, job_id, exchange, symbol, timeframe, start_time, end_time
FROM tasks WHERE task_id = ANY($1::uuid[]) AND ended ORDER BY task_id
"""

# series

INSERT_SERIES: Final = """
INSERT INTO series (exchange, symbol, timeframe)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS new (exchange, symbol, timeframe)
ORDER BY exchange, symbol, timeframe ON CONFLICT DO NOTHING
"""

LOCK_SERIES: Final = """
SELECT FROM series
WHERE (exchange, symbol, timeframe) IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]))
ORDER BY exchange, symbol, timeframe FOR UPDATE
"""

# gaps

_GAP: Final = """
gaps.version, gaps.exchange, gaps.symbol, gaps.timeframe, gaps.start_time, gaps.end_time,
gaps.state, gaps.job_id, gaps.detected_at
"""

# ruff: noqa: S608 -- the statements are put together from names of our own columns alone

GAPS_NEAR: Final = f"""
SELECT {_GAP} FROM gaps
WHERE open AND exchange = $1 AND symbol = ANY($2::text[]) AND timeframe = $3
      AND start_time <= $5 AND end_time >= $4
ORDER BY exchange, symbol, timeframe, start_time
"""

GAPS_ASKED: Final = f"""
SELECT DISTINCT {_GAP}
FROM gaps JOIN unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[])
     AS asked (symbol, timeframe, start_time, end_time)
     ON gaps.symbol = asked.symbol AND gaps.timeframe = asked.timeframe
        AND gaps.start_time < asked.end_time AND gaps.end_time > asked.start_time
WHERE open AND exchange = $1
ORDER BY gaps.symbol, gaps.timeframe, gaps.start_time
"""

GAPS_FILLING: Final = f"""
SELECT {_GAP} FROM gaps WHERE state = 'filling' AND job_id = ANY($1::uuid[])
ORDER BY exchange, symbol, timeframe, start_time
"""

GAPS_OPEN: Final = f"""
SELECT {_GAP} FROM gaps
WHERE open AND (exchange, symbol, timeframe, start_time) > ($1, $2, $3, $4)
ORDER BY exchange, symbol, timeframe, start_time LIMIT $5
"""

WRITE_GAPS: Final = """
INSERT INTO gaps AS kept (gap_id, version, exchange, symbol, timeframe, start_time, end_time, state,
                          job_id, detected_at, changed_at)
SELECT new.gap_id, 1, new.exchange, new.symbol, new.timeframe, new.start_time, new.end_time,
       new.state, new.job_id, new.detected_at, $10
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[],
            $7::text[], $8::uuid[], $9::timestamptz[])
     AS new (gap_id, exchange, symbol, timeframe, start_time, end_time, state, job_id, detected_at)
ON CONFLICT (gap_id) DO UPDATE
SET version = kept.version + 1, end_time = excluded.end_time, state = excluded.state,
    job_id = excluded.job_id, detected_at = excluded.detected_at, changed_at = excluded.changed_at
RETURNING gap_id, version
"""

# what is to be read again

_REREAD: Final = "exchange, symbol, timeframe, start_time, end_time, due_at, tries, job_id"

LOCK_REREADS: Final = f"""
SELECT {_REREAD} FROM rereads
WHERE exchange = $1 AND symbol = ANY($2::text[]) AND timeframe = $3
ORDER BY exchange, symbol, timeframe, start_time FOR UPDATE
"""

REREADS_DUE: Final = f"""
SELECT {_REREAD} FROM rereads
WHERE due_at <= $1
      AND NOT EXISTS (SELECT FROM jobs WHERE jobs.job_id = rereads.job_id AND NOT jobs.ended)
ORDER BY due_at, exchange, timeframe, symbol LIMIT $2 FOR UPDATE SKIP LOCKED
"""

WRITE_REREADS: Final = """
INSERT INTO rereads
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
                     $6::timestamptz[], $7::smallint[], $8::uuid[])
ON CONFLICT (exchange, symbol, timeframe, start_time) DO UPDATE
SET end_time = excluded.end_time, due_at = excluded.due_at, tries = excluded.tries,
    job_id = excluded.job_id
"""

DROP_REREADS: Final = """
DELETE FROM rereads
WHERE (exchange, symbol, timeframe, start_time)
      IN (SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]))
"""
