"""Coverage in memory keeps the promises that coverage in ClickHouse keeps."""

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pyarrow as pa
import pytest

from candlelog.errors import Unavailable
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import migrate_clickhouse, migrations_directory
from coordinator.adapters.coverage import ClickHouseCoverage
from coordinator.adapters.memory import MemoryCoverage, Observation
from coordinator.ports import Coverage

pytestmark = pytest.mark.connected

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BTC, ETH = Series("binance", "BTC/USDT", "1m"), Series("binance", "ETH/USDT", "1m")


def minutes(first: int, last: int) -> TimeRange:
    return TimeRange(START + timedelta(minutes=first), START + timedelta(minutes=last))


def seen(series: Series, first: int, last: int, *, after: float = 86_400) -> Observation:
    asked = minutes(first, last)
    return Observation(series, asked, asked.end + timedelta(seconds=after))


class Memory:
    async def given(self, observations: Sequence[Observation]) -> Coverage:
        coverage = MemoryCoverage()
        coverage.observations += observations
        return coverage


class Engine:
    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def given(self, observations: Sequence[Observation]) -> Coverage:
        await migrate_clickhouse(self._clickhouse, migrations_directory("clickhouse-sink"))
        if observations:
            await self._clickhouse.insert_arrow("coverage", _rows(observations))
        return ClickHouseCoverage(self._clickhouse)


def _rows(observations: Sequence[Observation]) -> pa.Table:
    moment = pa.timestamp("ms", tz="UTC")
    return pa.table(
        {
            "exchange": [one.series.exchange for one in observations],
            "symbol": [one.series.symbol for one in observations],
            "timeframe": [one.series.timeframe for one in observations],
            "start": pa.array([one.asked.start for one in observations], moment),
            "end": pa.array([one.asked.end for one in observations], moment),
            "source": ["rest"] * len(observations),
            "outcome": ["candles"] * len(observations),
            "observed_at": pa.array([one.observed_at for one in observations], moment),
        }
    )


@pytest.fixture
async def engine(clickhouse_url: str) -> AsyncGenerator[ClickHouse]:
    clickhouse = ClickHouse(clickhouse_url)
    yield clickhouse
    await clickhouse.close()


@pytest.fixture(params=["memory", "clickhouse"])
def store(request: pytest.FixtureRequest) -> Memory | Engine:
    if request.param == "memory":
        return Memory()
    return Engine(request.getfixturevalue("engine"))


async def explained(coverage: Coverage, window: TimeRange, symbols: Sequence[str] = ("BTC/USDT",)):
    found = await coverage.explained("binance", symbols, ("1m",), window=window, now=NOW)
    return {series: list(ranges) for series, ranges in found.items()}


async def test_nothing_is_explained_of_what_nobody_asked(store: Memory | Engine):
    coverage = await store.given([])
    assert await explained(coverage, minutes(0, 100)) == {}


async def test_ranges_that_touch_or_overlap_are_one_and_holes_stay(store: Memory | Engine):
    coverage = await store.given(
        [seen(BTC, 0, 10), seen(BTC, 10, 20), seen(BTC, 15, 18), seen(BTC, 30, 40)]
    )
    assert await explained(coverage, minutes(0, 100)) == {BTC: [minutes(0, 20), minutes(30, 40)]}


async def test_candles_read_before_they_had_settled_are_not_explained(store: Memory | Engine):
    coverage = await store.given([seen(BTC, 0, 10, after=30)])
    assert await explained(coverage, minutes(0, 100)) == {BTC: [minutes(0, 9)]}


async def test_only_the_series_asked_for_are_answered(store: Memory | Engine):
    other = Series("binance", "BTC/USDT", "1h")
    coverage = await store.given([seen(BTC, 0, 10), seen(ETH, 0, 5), seen(other, 0, 60)])
    found = await explained(coverage, minutes(0, 100), ("ETH/USDT", "XRP/USDT"))
    assert found == {ETH: [minutes(0, 5)]}


async def test_what_lies_outside_the_window_does_not_matter(store: Memory | Engine):
    coverage = await store.given([seen(BTC, 0, 10), seen(BTC, 50, 60)])
    assert await explained(coverage, minutes(20, 50)) == {}


async def test_a_thousand_symbols_are_asked_for_at_once(store: Memory | Engine):
    coverage = await store.given([seen(BTC, 0, 10)])
    symbols = [f"LONGNAME{n}/USDT" for n in range(999)] + ["BTC/USDT"]
    assert await explained(coverage, minutes(0, 100), symbols) == {BTC: [minutes(0, 10)]}


async def test_what_is_stored_of_a_series_lies_between_the_first_and_the_last_answer(
    store: Memory | Engine,
):
    coverage = await store.given(
        [seen(BTC, 30, 40, after=-300), seen(BTC, 5, 10), seen(BTC, 12, 15), seen(ETH, 1, 2)]
    )
    symbols = ["BTC/USDT", "XRP/USDT"]
    assert await coverage.stored("binance", symbols, ["1m"]) == {BTC: minutes(5, 40)}
    assert await coverage.stored("binance", symbols, ["1h"]) == {}


async def test_before_the_sink_has_made_its_tables_nothing_is_explained_or_stored(
    engine: ClickHouse,
):
    coverage = ClickHouseCoverage(engine)
    assert await explained(coverage, minutes(0, 100)) == {}
    assert await coverage.stored("binance", ["BTC/USDT"], ["1m"]) == {}


async def test_a_clickhouse_that_is_away_is_an_outage_and_not_an_empty_answer():
    nobody = ClickHouse("http://127.0.0.1:9/none")
    with pytest.raises(Unavailable):
        await explained(ClickHouseCoverage(nobody), minutes(0, 100))
    await nobody.close()


async def test_a_job_waits_while_coverage_is_away(desk, submission, monkeypatch):
    async def away(*_: object, **__: object) -> object:
        raise Unavailable("ClickHouse: away")

    with monkeypatch.context() as outage:
        outage.setattr(desk.coverage, "explained", away)
        await desk.say(submission(job_id=UUID(int=4)))
        with pytest.raises(Unavailable):
            await desk.finish()
        assert desk.states(UUID(int=4)) == []
    await desk.finish()
    assert desk.states(UUID(int=4)) == ["queued", "running", "completed"]


async def test_a_job_whose_coverage_cannot_be_read_holds_up_no_other(desk, submission, monkeypatch):
    explained = desk.coverage.explained

    async def too_much(exchange, symbols, *rest, **window):
        if symbols == ("BAD/USDT",):
            raise Unavailable("ClickHouse: memory limit exceeded")
        return await explained(exchange, symbols, *rest, **window)

    monkeypatch.setattr(desk.coverage, "explained", too_much)
    await desk.say(submission(symbols=("BAD/USDT",)), submission(job_id=UUID(int=4)))
    await desk.consume()
    with pytest.raises(Unavailable):
        await desk.plan()
    planned = await desk.pool.fetch("SELECT symbol FROM tasks")
    assert [row["symbol"] for row in planned] == ["BTC/USDT"]
