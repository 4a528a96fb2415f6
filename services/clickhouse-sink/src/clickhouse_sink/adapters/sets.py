"""The sets of tables in ClickHouse: the live one, and a shadow in a database beside."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from candlelog.errors import Unavailable
from candlelog.events.topics import CANDLES
from candlelog.log.partitioner import partition_of
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.domain.retelling import Answered, Untold
from clickhouse_sink.domain.sets import MARKED, Marks, mark, number_of, numbers

_EXCHANGED: Final = ("candle_revisions", "candles", "coverage")
"""The tables of a set in the order of their exchange: that in which a wave writes them. So whoever
read candles of the other set is refused at its first insert. With `candles` first, revisions could
be computed from the one set's candles and get into the other's table before that is exchanged."""

_COLUMNS: Final = """
SELECT database, table, name FROM system.columns
WHERE database IN ({live:String}, {shadow:String}) AND default_kind = 'EPHEMERAL'
"""
_DEFINITION: Final = """
SELECT create_table_query FROM system.tables
WHERE database = currentDatabase() AND table = {table:String}
"""
_SERIES: Final = "SELECT DISTINCT exchange, symbol, timeframe FROM coverage"
_UNTOLD: Final = """
SELECT exchange, symbol, timeframe, start, end, source, outcome, job_id, chunk_id, observed_at,
    count() OVER () AS total
FROM coverage FINAL
WHERE {of_series} AND ({key}) NOT IN (SELECT {key} FROM {shadow}.coverage WHERE {of_series})
ORDER BY exchange, symbol, timeframe, observed_at, start, end, chunk_id LIMIT {most:UInt32}
"""
_KEY: Final = "exchange, symbol, timeframe, start, end, observed_at, chunk_id"
_OF_SERIES: Final = "(exchange, symbol, timeframe) IN {series:Array(Tuple(String, String, String))}"


class ClickHouseSets:
    """`Sets` and `Shadows` over a database that was migrated, and one for a shadow."""

    def __init__(self, live: ClickHouse, shadow: ClickHouse) -> None:
        self._live = live
        self._shadow = shadow

    async def current(self) -> Sequence[ClickHouseTables]:
        """The shadow, if one is open, and the live set."""
        live, shadow = await self._numbers()
        tables = ClickHouseTables(self._live, live)
        return [tables] if shadow is None else [ClickHouseTables(self._shadow, shadow), tables]

    async def shadow(self, number: int) -> ClickHouseTables | None:
        """The set with this number, if it is the shadow."""
        _, shadow = await self._numbers()
        return ClickHouseTables(self._shadow, number) if shadow == number else None

    async def untold(self, partition: int, most: int) -> Untold:
        """Answers that the live set has and the shadow lacks."""
        every = (Series(*row) for row in await self._live.query(_SERIES))
        mine = [
            (each.exchange, each.symbol, each.timeframe)
            for each in every
            if partition_of(each.text.encode(), CANDLES.partitions) == partition
        ]
        if not mine:
            return Untold([], 0)
        sql = _UNTOLD.replace("{key}", _KEY).replace("{of_series}", _OF_SERIES)
        sql = sql.replace("{shadow}", self._shadow.database)
        rows = await self._live.query(sql, series=mine, most=most)
        return Untold(
            [Answered(Series(*row[:3]), *row[3:-1]) for row in rows], rows[0][-1] if rows else 0
        )

    async def open(self, number: int) -> None:
        """Make a set as the live one is, empty; unless it is there."""
        live, _ = await self._marks()
        if number in numbers(live):
            return
        await self._shadow.ensure_database()
        for table in MARKED:
            ((definition,),) = await self._live.query(_DEFINITION, table=table)
            head = f"CREATE TABLE {self._live.database}.{table} "
            assert definition.startswith(head)
            made = f"CREATE TABLE IF NOT EXISTS {self._shadow.database}.{table} "
            columns = definition.removeprefix(head).replace(mark(live[table]), mark(number))
            await self._shadow.command(made + columns)

    async def serve(self, number: int, *, rebuilt: bool) -> None:
        """Exchange the tables that are not where they are wanted; of other sets than this one and
        the one it stands beside, none.
        """
        live, shadow = await self._marks()
        there = number in {*numbers(live), *numbers(shadow)}
        for table in _EXCHANGED if there else ():
            if table in shadow and (live[table] == number) != rebuilt:
                await self._live.command(
                    f"EXCHANGE TABLES {self._live.database}.{table}"
                    f" AND {self._shadow.database}.{table}"
                )

    async def close(self, number: int) -> None:
        """Drop the shadow; one with a higher number was opened later, and stays."""
        live, shadow = await self._marks()
        mine = number in {*numbers(live), *numbers(shadow)}
        if mine and all(each <= number for each in numbers(shadow)):
            await self._shadow.command(
                f"DROP TABLE IF EXISTS {self._shadow.database}.coverage SYNC"
            )
            await self._shadow.command(f"DROP DATABASE IF EXISTS {self._shadow.database} SYNC")

    async def _numbers(self) -> tuple[int, int | None]:
        """The live set and the shadow that is open; with its coverage it is."""
        live, shadow = await self._marks()
        if "coverage" not in shadow:
            shadow = {}
        if len(numbers(live)) != 1 or len(numbers(shadow)) > 1:
            raise Unavailable("the tables of candles are being exchanged")
        return live["coverage"], shadow.get("coverage")

    async def _marks(self) -> tuple[Marks, Marks]:
        found: dict[str, dict[str, int]] = defaultdict(dict)
        names = {"live": self._live.database, "shadow": self._shadow.database}
        for database, table, column in await self._live.query(_COLUMNS, **names):
            number = number_of(column)
            if table in MARKED and number is not None:
                found[database][table] = number
        return found[self._live.database], found[self._shadow.database]
