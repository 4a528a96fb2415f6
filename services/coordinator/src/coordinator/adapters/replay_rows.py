"""Rows of replays, and of what is served."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from candlelog.events.feature_sets import FeatureBuildRef, FeatureSetRef
from candlelog.market.series import Series
from candlelog.stores.postgres import Connection
from coordinator.adapters import replay_statements as statements
from coordinator.domain.planning import Rebuild, TaskPlan
from coordinator.domain.switching import Reopened, Standing


async def lock(connection: Connection) -> None:
    """Be the only one that decides about builds until the transaction ends."""
    await connection.execute(statements.LOCK_REPLAYS)


async def served(
    connection: Connection, series: Sequence[Series], feature_set: str
) -> dict[Series, FeatureBuildRef]:
    """What is served of these series, all of one exchange, where that was decided here."""
    rows = await connection.fetch(statements.SERVED, *_columns(series), feature_set)
    return {_series(row): _ref(row["version"], row["build"]) for row in rows}


async def builds(
    connection: Connection, series: Sequence[Series], feature_set: str
) -> Mapping[Series, set[tuple[int, int]]]:
    """Version and number of every build that these series, all of one exchange, ever had of the
    set; those that the sink alone knows of are left out.
    """
    found: defaultdict[Series, set[tuple[int, int]]] = defaultdict(set)
    for row in await connection.fetch(statements.BUILDS, *_columns(series), feature_set):
        found[_series(row)].add((row["version"], row["build"]))
    return found


async def insert(connection: Connection, job_id: UUID, plans: Sequence[TaskPlan]) -> None:
    """Write what a replay computes."""
    await connection.copy_records_to_table(
        "replays",
        columns=(
            "job_id", "task_id", "exchange", "symbol", "timeframe", "feature_set",
            "version", "build", "old_version", "old_build",
        ),
        records=[
            (
                job_id, plan.task_id, plan.series.exchange, plan.series.symbol,
                plan.series.timeframe, each.feature_set,
                each.new.version, each.new.build, each.old.version, each.old.build,
            )
            for plan in plans
            if (each := plan.rebuild) is not None
        ],
    )  # fmt: skip


async def standings(connection: Connection, job_id: UUID) -> list[Standing]:
    """How each series of a replay stands."""
    return [
        Standing(
            _series(row),
            Rebuild(
                row["feature_set"],
                _ref(row["version"], row["build"]),
                _ref(row["old_version"], row["old_build"]),
            ),
            _ref(row["served_version"], row["served_build"]),
            row["number"],
        )
        for row in await connection.fetch(statements.STANDINGS, job_id)
    ]


async def closed(connection: Connection, job_id: UUID) -> bool:
    """Whether the replay was closed."""
    return bool(await connection.fetchval(statements.IS_CLOSED, job_id))


async def running(connection: Connection, job_id: UUID) -> UUID | None:
    """Another replay that is not over, of a series and set that this one has."""
    return await connection.fetchval(statements.RUNNING, job_id)


async def serve(
    connection: Connection, standings: Sequence[Standing], builds: Sequence[FeatureBuildRef]
) -> None:
    """These builds are served from now on; the number of each series rises by one."""
    await connection.execute(
        statements.SERVE,
        [each.series.exchange for each in standings],
        [each.series.symbol for each in standings],
        [each.series.timeframe for each in standings],
        [each.rebuild.feature_set for each in standings],
        [each.version for each in builds],
        [each.build for each in builds],
        [each.number + 1 for each in standings],
    )


async def close(connection: Connection, job_id: UUID) -> dict[Series, list[FeatureBuildRef]]:
    """Close a replay; the builds that nobody names any more, by series. What the series have of
    them is forgotten, and that they have what is served is kept.
    """
    await connection.execute(statements.CLOSE, job_id)
    found: defaultdict[Series, list[FeatureBuildRef]] = defaultdict(list)
    for row in await connection.fetch(statements.UNNAMED, job_id):
        found[_series(row)].append(_ref(row["version"], row["build"]))
    await connection.execute(statements.MARK_SERVED, job_id)
    await connection.execute(statements.FORGET_MARKS, job_id)
    return found


async def reopen(
    connection: Connection, marked: Sequence[tuple[Series, FeatureSetRef]]
) -> list[Reopened]:
    """Of these versions of series, all of one exchange, the first builds that were given up are
    so no more; the numbers of these decisions.
    """
    rows = await connection.fetch(
        statements.REOPEN,
        *_columns([series for series, _ in marked]),
        [feature_set.name for _, feature_set in marked],
        [feature_set.version for _, feature_set in marked],
    )
    return [
        Reopened(
            _series(row),
            row["feature_set"],
            [_ref(version, 0) for version in row["versions"]],
            row["number"],
        )
        for row in rows
    ]


def _ref(version: int, build: int) -> FeatureBuildRef:
    return FeatureBuildRef(version=version, build=build)


def _series(row: Mapping[str, str]) -> Series:
    return Series(row["exchange"], row["symbol"], row["timeframe"])


def _columns(series: Sequence[Series]) -> tuple[str, list[str], list[str]]:
    return (
        series[0].exchange,
        [each.symbol for each in series],
        [each.timeframe for each in series],
    )
