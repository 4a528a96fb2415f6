"""Rows of what is to be read again."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from gap_auditor.adapters import statements
from gap_auditor.domain.settling import Reread


async def of_series(
    connection: Connection, exchange: str, symbols: Sequence[str], timeframe: str
) -> dict[Series, Reread]:
    """What is to be read again of these series: kept from others until the transaction ends."""
    rows = await connection.fetch(statements.LOCK_REREADS, exchange, symbols, timeframe)
    return {reread.series: reread for reread in map(_reread, rows)}


async def due(connection: Connection, at: datetime, limit: int) -> list[Reread]:
    """What is due, and no other transaction is busy with."""
    return [_reread(row) for row in await connection.fetch(statements.REREADS_DUE, at, limit)]


async def write(connection: Connection, rereads: Iterable[Reread]) -> None:
    """Write them, one of a series."""
    ordered = sorted(rereads, key=lambda each: each.series)
    if ordered:
        await connection.execute(
            statements.WRITE_REREADS,
            [each.series.exchange for each in ordered],
            [each.series.symbol for each in ordered],
            [each.series.timeframe for each in ordered],
            [each.window.start for each in ordered],
            [each.window.end for each in ordered],
            [each.due_at for each in ordered],
            [each.tries for each in ordered],
            [each.job_id for each in ordered],
        )


async def drop(connection: Connection, all_series: Iterable[Series]) -> None:
    """Nothing of these series is to be read again."""
    series = list(all_series)
    if series:
        await connection.execute(
            statements.DROP_REREADS,
            [each.exchange for each in series],
            [each.symbol for each in series],
            [each.timeframe for each in series],
        )


def _reread(row: Mapping[str, Any]) -> Reread:
    return Reread(
        series=Series(row["exchange"], row["symbol"], row["timeframe"]),
        window=TimeRange(row["start_time"], row["end_time"]),
        due_at=row["due_at"],
        tries=row["tries"],
        job_id=row["job_id"],
    )
