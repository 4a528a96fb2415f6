"""Rows of replays of candles."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.rebuild import Origin
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.states import Status
from candlelog.stores.postgres import Connection
from coordinator.domain.shadows import Shadow, Span

_COLUMNS: Final = "job_id, number, phase, status, version, serving, step, correlation_id"
_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('coordinator.shadows', 0))"
_OPEN: Final = "SELECT job_id FROM shadows WHERE phase <> 'closed'"
_READ: Final = f"SELECT {_COLUMNS} FROM shadows WHERE job_id = $1"  # noqa: S608 -- constants
_HIGHEST: Final = "SELECT coalesce(max(number), 0) FROM shadows"
_WRITE: Final = f"""
INSERT INTO shadows ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (job_id) DO UPDATE SET phase = excluded.phase, status = excluded.status,
    version = excluded.version, serving = excluded.serving, step = excluded.step,
    correlation_id = excluded.correlation_id
"""  # noqa: S608 -- constants
_KEEP_SPANS: Final = "UPDATE shadows SET spans = $2::jsonb WHERE job_id = $1"
_SPANS: Final = "SELECT spans FROM shadows WHERE job_id = $1"
_THROUGH: Final = "INSERT INTO shadow_parts VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
_PARTS: Final = "SELECT count(*) FROM shadow_parts WHERE job_id = $1 AND origin = $2"
_RUNNING: Final = """
SELECT job_id FROM jobs JOIN replays USING (job_id)
WHERE status IN ('queued', 'running', 'paused') ORDER BY job_id LIMIT 1
"""


async def lock(connection: Connection) -> None:
    """Be the only one that decides about replays of candles until the transaction ends."""
    await connection.execute(_LOCK)


async def read(connection: Connection, job_id: UUID) -> Shadow | None:
    """The replay with this id."""
    row = await connection.fetchrow(_READ, job_id)
    if row is None:
        return None
    job_id, number, phase, status, *others = row
    return Shadow(job_id, number, phase, Status(status), *others)


async def open_one(connection: Connection) -> UUID | None:
    """The replay that is not closed."""
    return await connection.fetchval(_OPEN)


async def next_number(connection: Connection, now: datetime) -> int:
    """Higher than every one before, also of a database that was lost: milliseconds of now."""
    highest: Any = await connection.fetchval(_HIGHEST)
    return max(int(now.timestamp() * 1000), 1 + highest)


async def running(connection: Connection) -> UUID | None:
    """A replay of features that is not over."""
    return await connection.fetchval(_RUNNING)


async def write(connection: Connection, shadow: Shadow) -> None:
    """Keep a replay as it is now."""
    await connection.execute(
        _WRITE,
        shadow.job_id,
        shadow.number,
        shadow.phase,
        shadow.status,
        shadow.version,
        shadow.serving,
        shadow.step,
        shadow.correlation_id,
    )


async def part_through(connection: Connection, job_id: UUID, origin: Origin, partition: int) -> int:
    """How many parts of an origin are through, with this one."""
    await connection.execute(_THROUGH, job_id, origin, partition)
    through: Any = await connection.fetchval(_PARTS, job_id, origin)
    return through


async def keep_spans(connection: Connection, job_id: UUID, spans: Sequence[Span]) -> None:
    """Remember what is to be computed when the step is done."""
    await connection.execute(
        _KEEP_SPANS, job_id, orjson.dumps([_plain(span) for span in spans]).decode()
    )


async def spans(connection: Connection, job_id: UUID) -> list[Span]:
    """What was remembered."""
    kept: Any = await connection.fetchval(_SPANS, job_id)
    return [_span(each) for each in orjson.loads(kept)]


def _plain(span: Span) -> Mapping[str, Any]:
    series, times = span.series, span.times
    return {
        "series": [series.exchange, series.symbol, series.timeframe],
        "times": [times.start, times.end],
        "feature_set": span.feature_set.text,
        "build": span.build,
    }


def _span(plain: Mapping[str, Any]) -> Span:
    start, end = map(datetime.fromisoformat, plain["times"])
    name, _, version = plain["feature_set"].partition("/")
    return Span(
        Series(*plain["series"]),
        TimeRange(start, end),
        FeatureSetRef(name=name, version=int(version)),
        plain["build"],
    )
