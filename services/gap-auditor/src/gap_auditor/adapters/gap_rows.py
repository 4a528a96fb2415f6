"""Rows of gaps, and the locks of their series."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from candlelog.events.jobs import FillGapsV1
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from gap_auditor.adapters import statements
from gap_auditor.domain.gaps import Gap, GapState


async def lock(connection: Connection, series: Collection[Series]) -> None:
    """Be the only one that writes gaps of these series until the transaction ends."""
    ordered = sorted(series)
    columns = (
        [each.exchange for each in ordered],
        [each.symbol for each in ordered],
        [each.timeframe for each in ordered],
    )
    await connection.execute(statements.INSERT_SERIES, *columns)
    await connection.execute(statements.LOCK_SERIES, *columns)


async def near(
    connection: Connection,
    exchange: str,
    symbols: Sequence[str],
    *,
    timeframe: str,
    window: TimeRange,
) -> list[Gap]:
    """Open gaps of these series that overlap or touch the window, in order of symbol and time."""
    rows = await connection.fetch(
        statements.GAPS_NEAR, exchange, symbols, timeframe, window.start, window.end
    )
    return [_gap(row) for row in rows]


async def asked(connection: Connection, command: FillGapsV1) -> list[Gap]:
    """Open gaps that a repair asks for, or for parts of which it does."""
    rows = await connection.fetch(
        statements.GAPS_ASKED,
        command.exchange,
        [gap.symbol for gap in command.gaps],
        [gap.timeframe for gap in command.gaps],
        [gap.start for gap in command.gaps],
        [gap.end for gap in command.gaps],
    )
    return [_gap(row) for row in rows]


async def filling(connection: Connection, job_ids: Collection[UUID]) -> list[Gap]:
    """Gaps that these repairs are filling."""
    if not job_ids:
        return []
    return [_gap(row) for row in await connection.fetch(statements.GAPS_FILLING, list(job_ids))]


async def following(
    connection: Connection, series: Series, start: datetime, limit: int
) -> list[tuple[Gap, int]]:
    """Open gaps with their versions, in order, behind this place in it."""
    rows = await connection.fetch(
        statements.GAPS_OPEN, series.exchange, series.symbol, series.timeframe, start, limit
    )
    return [(_gap(row), row["version"]) for row in rows]


async def write(connection: Connection, gaps: Iterable[Gap], at: datetime) -> dict[UUID, int]:
    """Write gaps as they are now; the version of each. The caller holds their series."""
    ordered = sorted(gaps, key=lambda gap: gap.gap_id)
    rows = await connection.fetch(
        statements.WRITE_GAPS,
        [gap.gap_id for gap in ordered],
        [gap.series.exchange for gap in ordered],
        [gap.series.symbol for gap in ordered],
        [gap.series.timeframe for gap in ordered],
        [gap.start for gap in ordered],
        [gap.end for gap in ordered],
        [gap.state.value for gap in ordered],
        [gap.job_id for gap in ordered],
        [gap.detected_at for gap in ordered],
        at,
    )
    return {row["gap_id"]: row["version"] for row in rows}


def _gap(row: Mapping[str, Any]) -> Gap:
    return Gap(
        series=Series(row["exchange"], row["symbol"], row["timeframe"]),
        start=row["start_time"],
        end=row["end_time"],
        state=GapState(row["state"]),
        job_id=row["job_id"],
        detected_at=row["detected_at"],
    )
