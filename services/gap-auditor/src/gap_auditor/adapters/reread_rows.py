"""Rows of what is to be read again."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from gap_auditor.adapters import statements
from gap_auditor.domain.settling import Reread


async def of_series(
    connection: Connection, exchange: str, symbols: Sequence[str], *, timeframe: str
) -> dict[Series, list[Reread]]:
    """What is to be read again of these series, where there is something: kept from others until
    the transaction ends."""
    rows = await connection.fetch(statements.LOCK_REREADS, exchange, symbols, timeframe)
    found: defaultdict[Series, list[Reread]] = defaultdict(list)
    for reread in map(_reread, rows):
        found[reread.series].append(reread)
    return dict(found)


async def due(connection: Connection, at: datetime, limit: int) -> list[Reread]:
    """What is due, and no other transaction is busy with."""
    return [_reread(row) for row in await connection.fetch(statements.REREADS_DUE, at, limit)]


async def write(connection: Connection, rereads: Collection[Reread]) -> None:
    """Write them, of which no two have series and start in common; one takes the place of the row
    that has."""
    if rereads:
        ordered = sorted(rereads, key=lambda each: (each.series, each.window.start))
        await connection.execute(
            statements.WRITE_REREADS,
            *_keys(ordered),
            [each.window.end for each in ordered],
            [each.due_at for each in ordered],
            [each.tries for each in ordered],
            [each.job_id for each in ordered],
        )


async def drop(connection: Connection, rereads: Collection[Reread]) -> None:
    """These are not to be read again."""
    if rereads:
        await connection.execute(statements.DROP_REREADS, *_keys(rereads))


def _keys(rereads: Collection[Reread]) -> Iterator[list[Any]]:
    yield [each.series.exchange for each in rereads]
    yield [each.series.symbol for each in rereads]
    yield [each.series.timeframe for each in rereads]
    yield [each.window.start for each in rereads]


def _reread(row: Mapping[str, Any]) -> Reread:
    return Reread(
        series=Series(row["exchange"], row["symbol"], row["timeframe"]),
        window=TimeRange(row["start_time"], row["end_time"]),
        due_at=row["due_at"],
        tries=row["tries"],
        job_id=row["job_id"],
    )
