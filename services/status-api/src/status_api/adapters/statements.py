"""Every statement on schema `status` but those that follow from its tables.

Values are bound; `$1` and so on are explained above each.
"""

from typing import Final

from status_api.adapters.tables import FILES, GAPS, JOBS, SHADOWS, SUBMISSIONS, TASKS

_MISSING: Final = """(
    SELECT coalesce(jsonb_agg(period || of_series), '[]') FROM (
        SELECT period, jsonb_build_object('symbol', symbol, 'timeframe', timeframe) AS of_series
        FROM tasks, jsonb_array_elements(missing) WITH ORDINALITY AS listed (period, place)
        WHERE tasks.job_id = s.job_id AND slots_unknown > 0 AND planned_offset IS NOT NULL
        ORDER BY planned_offset, place LIMIT 100
    ) AS found
) AS missing_periods"""
_JOB: Final = ", ".join(
    [f"s.{name} AS s_{name}" for name in SUBMISSIONS.columns]
    + [f"j.{name} AS j_{name}" for name in JOBS.columns]
    + [_MISSING]
)
_FROM: Final = "FROM submissions s LEFT JOIN jobs j USING (job_id)"
_TASK: Final = ", ".join(f"t.{name}" for name in TASKS.columns)

# ruff: noqa: S608 -- the statements are put together from names of our own tables alone

JOBS_BY_ID: Final = f"SELECT {_JOB} {_FROM} WHERE s.job_id = ANY($1::uuid[])"

# status, symbol, kind, since, (submitted_at, job_id) of the last one seen: each may be null; limit
JOBS_PAGE: Final = f"""
SELECT {_JOB} {_FROM}
WHERE j.state IS DISTINCT FROM 'deleted'
  AND ($1::text IS NULL OR coalesce(j.state, 'pending') = $1)
  AND ($2::text IS NULL OR $2 = ANY(s.symbols))
  AND ($3::text IS NULL OR s.kind = $3)
  AND ($4::timestamptz IS NULL OR s.submitted_at >= $4)
  AND ($5::timestamptz IS NULL OR (s.submitted_at, s.job_id) < ($5, $6::uuid))
ORDER BY s.submitted_at DESC, s.job_id DESC
LIMIT $7
"""

# job id, planned_offset of the last one seen, limit
TASKS_PAGE: Final = f"""
SELECT {_TASK} FROM tasks t WHERE t.job_id = $1 AND t.planned_offset > $2
ORDER BY t.planned_offset LIMIT $3
"""

# job ids, limit for each
FIRST_TASKS: Final = f"""
SELECT {_TASK} FROM unnest($1::uuid[]) AS wanted (job_id), LATERAL (
    SELECT * FROM tasks WHERE tasks.job_id = wanted.job_id AND planned_offset IS NOT NULL
    ORDER BY planned_offset LIMIT $2
) AS t
"""

# job id
SHADOW: Final = f"SELECT {', '.join(SHADOWS.columns)} FROM shadows WHERE job_id = $1"

OPEN_SHADOW: Final = f"""
SELECT s.job_id {_FROM} LEFT JOIN shadows USING (job_id)
WHERE s.kind = 'replay' AND NOT s.features AND coalesce(j.state, 'pending') <> 'failed'
  AND NOT coalesce(shadows.closed, false)
LIMIT 1
"""

ANSWER: Final = "SELECT accepted, code, reason FROM answers WHERE correlation_id = $1"

# topics
POSITIONS: Final = """
SELECT topic, partition, next_offset FROM consumed_offsets WHERE topic = ANY($1::text[])
"""

# finished states, how many of the finished
JOBS_OF_ALL: Final = f"""
(SELECT {_JOB} {_FROM} WHERE j.state IS NULL OR j.state <> ALL($1::text[]))
UNION ALL
(SELECT {_JOB} {_FROM} WHERE j.state = ANY($1::text[]) AND j.state <> 'deleted'
 ORDER BY s.submitted_at DESC, s.job_id DESC LIMIT $2)
"""

# partitions and positions of jobs.commands, the same of progress, job ids or null, limit
JOBS_CHANGED: Final = f"""
SELECT {_JOB} {_FROM} WHERE s.job_id IN (
    SELECT changed.job_id FROM submissions AS changed
    JOIN unnest($1::int[], $2::bigint[]) AS seen (number, position)
      ON changed.command_partition = seen.number AND changed.command_offset >= seen.position
    UNION
    SELECT changed.job_id FROM jobs AS changed
    JOIN unnest($3::int[], $4::bigint[]) AS seen (number, position)
      ON changed.progress_partition = seen.number AND changed.progress_offset >= seen.position
) AND ($5::uuid[] IS NULL OR s.job_id = ANY($5))
LIMIT $6
"""

# job ids and the position of each in its partition, limit
TASKS_CHANGED: Final = f"""
SELECT {_TASK} FROM unnest($1::uuid[], $2::bigint[]) AS seen (job_id, position)
JOIN tasks t ON t.job_id = seen.job_id AND t.progress_offset >= seen.position
WHERE t.planned_offset IS NOT NULL
LIMIT $3
"""

# since
JOB_STATES_SINCE: Final = """
SELECT coalesce(j.state, 'pending') AS state, count(*) AS jobs
FROM submissions s LEFT JOIN jobs j USING (job_id)
WHERE (s.submitted_at >= $1 OR j.completed_at >= $1) AND j.state IS DISTINCT FROM 'deleted'
GROUP BY 1
"""

# finished states of jobs
_GAP: Final = f"""
SELECT {", ".join(GAPS.columns)}, CASE WHEN state NOT IN ('filled', 'merged') AND EXISTS (
    SELECT FROM gap_fills LEFT JOIN jobs USING (job_id)
    WHERE gap_fills.gap_id = gaps.gap_id AND (jobs.state IS NULL OR jobs.state <> ALL($1::text[]))
) THEN 'filling' ELSE state END AS state_now
FROM gaps
"""

# …, states, exchange, symbols, timeframes, (series, start) of the last one seen: each may be null;
# limit, null for none
GAPS_PAGE: Final = f"""
SELECT * FROM (
    {_GAP}
    WHERE ($3::text IS NULL OR exchange = $3)
      AND ($4::text[] IS NULL OR symbol = ANY($4))
      AND ($5::text[] IS NULL OR timeframe = ANY($5))
      AND ($6::text IS NULL
           OR (exchange, symbol, timeframe, range_start) > ($6, $7, $8, $9::timestamptz))
) AS found
WHERE $2::text[] IS NULL OR state_now = ANY($2)
ORDER BY exchange, symbol, timeframe, range_start LIMIT $10
"""

# …, gap id
GAP_BY_ID: Final = f"{_GAP} WHERE gap_id = $2"

# gap ids
GAP_TRIES: Final = """
SELECT gap_id, count(*) AS attempts, max(submitted_at) AS last
FROM gap_fills JOIN submissions USING (job_id) WHERE gap_id = ANY($1::uuid[]) GROUP BY gap_id
"""

# exchange, symbol, timeframe, status, (archive, path) of the last one seen: each may be null; limit
FILES_PAGE: Final = f"""
SELECT * FROM (
    SELECT {", ".join(FILES.columns)}, (
        SELECT path FROM files AS newer
        WHERE newer.archive = files.archive AND newer.exchange = files.exchange
          AND newer.symbol = files.symbol AND newer.timeframe = files.timeframe
          AND newer.path <> files.path AND newer.read_at > files.read_at
          AND newer.refused IS NULL AND files.refused IS NULL
          AND newer.first_open_time <= files.first_open_time
          AND newer.last_open_time >= files.last_open_time
        ORDER BY read_at DESC LIMIT 1
    ) AS superseded_by
    FROM files
    WHERE ($1::text IS NULL OR exchange = $1)
      AND ($2::text IS NULL OR symbol = $2)
      AND ($3::text IS NULL OR timeframe = $3)
      AND ($5::text IS NULL OR (archive, path) > ($5, $6::text))
) AS told
WHERE $4::text IS NULL OR $4 = CASE
    WHEN refused IS NOT NULL THEN 'refused'
    WHEN superseded_by IS NOT NULL THEN 'superseded'
    ELSE 'read'
END
ORDER BY archive, path LIMIT $7
"""

# limit
TASKS_TO_DROP: Final = """
SELECT task_id FROM jobs JOIN tasks USING (job_id) WHERE jobs.state = 'deleted' LIMIT $1
"""

# task ids, limit
DROP_CHUNKS: Final = """
WITH dropped AS (
    DELETE FROM chunks WHERE chunk_id IN (
        SELECT chunk_id FROM chunks WHERE task_id = ANY($1) LIMIT $2 FOR UPDATE SKIP LOCKED
    )
    RETURNING 1
)
SELECT count(*) FROM dropped
"""

# task ids
DROP_TASKS: Final = """
DELETE FROM tasks WHERE task_id = ANY($1)
  AND NOT EXISTS (SELECT FROM chunks WHERE chunks.task_id = tasks.task_id)
"""

PROJECTION: Final = "SELECT id FROM projection"
