"""Rows of the feature sets that series have."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.domain.planning import Covered, Marks


def set_names(sets: Iterable[FeatureSetRef]) -> list[str]:
    """Feature sets as columns hold them: `name/version`."""
    return [each.text for each in sets]


def sets_named(names: Iterable[str]) -> tuple[FeatureSetRef, ...]:
    """Feature sets from what columns hold."""
    pairs = (name.rpartition("/") for name in names)
    return tuple(FeatureSetRef(name=name, version=int(version)) for name, _, version in pairs)


async def mark(
    connection: Connection, series: Sequence[Series], sets: Sequence[FeatureSetRef], job_id: UUID
) -> list[tuple[Series, FeatureSetRef]]:
    """From now on these series, all of one exchange, have these sets; those that they had not
    before.
    """
    exchange, symbols, timeframes = _columns(series)
    rows = await connection.fetch(
        statements.MARK_SERIES, exchange, symbols, timeframes, set_names(sets), job_id
    )
    return [
        (Series(exchange, row["symbol"], row["timeframe"]), feature_set)
        for row in rows
        for feature_set in sets_named([row["feature_set"]])
    ]


async def marks(connection: Connection, series: Sequence[Series]) -> Marks:
    """The sets that these series, all of one exchange, have; whether completely."""
    exchange, symbols, timeframes = _columns(series)
    found: defaultdict[Series, dict[FeatureSetRef, bool]] = defaultdict(dict)
    for row in await connection.fetch(statements.MARKS_OF_SERIES, exchange, symbols, timeframes):
        (feature_set,) = sets_named([row["feature_set"]])
        found[Series(exchange, row["symbol"], row["timeframe"])][feature_set] = row["complete"]
    return dict(found)


async def pending(connection: Connection, series: Sequence[Series]) -> Covered:
    """Ranges of these series, all of one exchange, whose features some chunk still awaits."""
    exchange, symbols, timeframes = _columns(series)
    found: defaultdict[Series, list[TimeRange]] = defaultdict(list)
    for row in await connection.fetch(statements.PENDING_RANGES, exchange, symbols, timeframes):
        part = TimeRange(row["start_time"], row["end_time"])
        found[Series(exchange, row["symbol"], row["timeframe"])].append(part)
    return {each: merge(ranges) for each, ranges in found.items()}


async def complete(connection: Connection, task_ids: Iterable[UUID]) -> None:
    """Where all feature chunks of a task are through, its series has the sets completely."""
    await connection.execute(statements.COMPLETE_MARKS, list(task_ids))


def _columns(series: Sequence[Series]) -> tuple[str, list[str], list[str]]:
    return (
        series[0].exchange,
        [each.symbol for each in series],
        [each.timeframe for each in series],
    )
