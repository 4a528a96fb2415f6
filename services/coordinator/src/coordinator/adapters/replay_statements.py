"""The SQL of replays. Sets of rows come as arrays: one statement a set."""

from typing import Final

LOCK_REPLAYS: Final = "SELECT pg_advisory_xact_lock(hashtextextended('coordinator.replays', 0))"

_SERIES: Final = "exchange, symbol, timeframe"
_SET: Final = f"{_SERIES}, feature_set"

# ruff: noqa: S608 -- the statements are put together from names of our own tables alone

# exchange, symbols, timeframes, name of the set
SERVED: Final = f"""
SELECT {_SERIES}, version, build
FROM served JOIN unnest($2::text[], $3::text[]) AS named (symbol, timeframe)
     USING (symbol, timeframe)
WHERE exchange = $1 AND feature_set = $4
"""

# the same; a mark is build 0 of its version
BUILDS: Final = f"""
WITH known AS (
    SELECT {_SET}, version, build FROM replays
    UNION SELECT {_SET}, old_version, old_build FROM replays
    UNION
    SELECT {_SERIES}, substring(feature_set FROM '^(.*)/'),
           substring(feature_set FROM '[0-9]+$')::int, 0
    FROM series_features
)
SELECT {_SERIES}, version, build
FROM known JOIN unnest($2::text[], $3::text[]) AS named (symbol, timeframe)
     USING (symbol, timeframe)
WHERE exchange = $1 AND feature_set = $4
"""

# job id, as in all that follow
STANDINGS: Final = f"""
SELECT {_SET}, replays.version, replays.build, old_version, old_build,
       coalesce(served.version, old_version) AS served_version,
       coalesce(served.build, old_build) AS served_build, coalesce(number, 0) AS number
FROM replays LEFT JOIN served USING ({_SET})
WHERE job_id = $1 ORDER BY symbol, timeframe
"""

IS_CLOSED: Final = "SELECT bool_or(closed) FROM replays WHERE job_id = $1"

RUNNING: Final = f"""
SELECT other.job_id
FROM replays AS mine JOIN replays AS other USING ({_SET})
JOIN jobs ON jobs.job_id = other.job_id
WHERE mine.job_id = $1 AND other.job_id <> $1 AND jobs.status IN ('queued', 'running', 'paused')
ORDER BY other.job_id LIMIT 1
"""

SERVE: Final = f"""
INSERT INTO served ({_SET}, version, build, number)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[],
                     $7::int[])
ON CONFLICT ({_SET})
DO UPDATE SET version = excluded.version, build = excluded.build, number = excluded.number
"""

CLOSE: Final = "UPDATE replays SET closed = true WHERE job_id = $1"

# Builds that open replays name, and those that are served: these have a row by then.
_NAMED: Final = f"""
SELECT {_SET}, version, build FROM replays WHERE NOT closed
UNION SELECT {_SET}, old_version, old_build FROM replays WHERE NOT closed
UNION SELECT {_SET}, version, build FROM served
"""
_OF_JOB: Final = f"""
SELECT {_SET}, version, build FROM replays WHERE job_id = $1
UNION SELECT {_SET}, old_version, old_build FROM replays WHERE job_id = $1
"""

UNNAMED: Final = f"""
SELECT * FROM ({_OF_JOB}) AS mine EXCEPT SELECT * FROM ({_NAMED}) AS named
ORDER BY symbol, timeframe, version, build
"""

# First builds of these versions that were given up, by the row that counts what is decided of them:
# exchange, then symbols, timeframes, names and versions.
REOPEN: Final = f"""
WITH asked AS (
    SELECT $1::text AS exchange, * FROM unnest($2::text[], $3::text[], $4::text[], $5::int[])
        AS named (symbol, timeframe, feature_set, version)
), known AS (
    SELECT {_SET}, version, build FROM replays
    UNION SELECT {_SET}, old_version, old_build FROM replays
), unnamed AS (
    SELECT {_SET}, version, build FROM asked JOIN known USING ({_SET}, version) WHERE build = 0
    EXCEPT SELECT * FROM ({_NAMED}) AS named
), again AS (
    SELECT {_SET}, array_agg(version ORDER BY version) AS versions FROM unnamed GROUP BY {_SET}
)
UPDATE served SET number = number + 1 FROM again
WHERE (served.exchange, served.symbol, served.timeframe, served.feature_set)
      = (again.exchange, again.symbol, again.timeframe, again.feature_set)
RETURNING served.exchange, served.symbol, served.timeframe, served.feature_set, versions, number
"""

MARK_SERVED: Final = f"""
INSERT INTO series_features ({_SET}, complete, job_id)
SELECT {_SERIES}, feature_set || '/' || served.version, true, $1
FROM served JOIN replays USING ({_SET}) WHERE job_id = $1
ON CONFLICT DO NOTHING
"""

# Of a version that nobody names any more, if its first build was a replay's concern at all.
FORGET_MARKS: Final = f"""
WITH named AS ({_NAMED}), mine AS ({_OF_JOB}), gone AS (
    SELECT {_SET}, version FROM mine EXCEPT SELECT {_SET}, version FROM named
)
DELETE FROM series_features AS mark USING gone
WHERE mark.exchange = gone.exchange AND mark.symbol = gone.symbol
      AND mark.timeframe = gone.timeframe
      AND mark.feature_set = gone.feature_set || '/' || gone.version
      AND EXISTS (
          SELECT FROM replays
          WHERE replays.exchange = gone.exchange AND replays.symbol = gone.symbol
                AND replays.timeframe = gone.timeframe
                AND replays.feature_set = gone.feature_set
                AND ((replays.version, replays.build) = (gone.version, 0)
                     OR (old_version, old_build) = (gone.version, 0))
      )
"""
