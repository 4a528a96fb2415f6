from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from tests.databases import clickhouse_database, clickhouse_database_url, empty

from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.coverage import explained_ranges

pytestmark = pytest.mark.connected

BTC = Series("binance", "BTC/USDT", "1m")
CHUNK = "11111111-1111-4111-8111-111111111111"
LATE = datetime(2025, 1, 1, tzinfo=UTC)
VENUE = profile("binance").model_copy(update={"settle_delay_seconds": 60})
DAY = timedelta(days=1)
ALWAYS = TimeRange(datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


def at(minute: float) -> datetime:
    return datetime(2024, 2, 1, tzinfo=UTC) + timedelta(minutes=minute)


class Coverage:
    """A store with coverage in minutes of one day."""

    def __init__(self, store: ClickHouse) -> None:
        self.store = store

    async def add(
        self, *rows: tuple, series: Series = BTC, source: str = "rest", outcome: str = "candles"
    ) -> None:
        """Rows of start, end, and the moment they were read (long after, where left out)."""
        common = {
            "exchange": series.exchange,
            "symbol": series.symbol,
            "timeframe": series.timeframe,
            "source": source,
            "outcome": outcome,
            "job_id": CHUNK,
            "chunk_id": CHUNK,
        }
        items = [
            common | {"start": start, "end": end, "observed_at": observed[0] if observed else LATE}
            for start, end, *observed in rows
        ]
        time = pa.timestamp("ms", tz="UTC")
        columns = [(name, pa.string()) for name in common]
        columns += [(name, time) for name in ("start", "end", "observed_at")]
        await self.store.insert_arrow("coverage", pa.Table.from_pylist(items, pa.schema(columns)))

    async def refuse(self, *times: datetime, read: datetime = LATE) -> None:
        """Rows of BTC for these times came in an answer, and were refused."""
        texts = {"exchange": "binance", "symbol": "BTC/USDT", "timeframe": "1m", "raw": "[]"}
        texts |= {"reason": "high < low", "source": "rest", "job_id": CHUNK, "chunk_id": CHUNK}
        time = pa.timestamp("ms", tz="UTC")
        columns = [(name, pa.string()) for name in texts]
        columns += [(name, time) for name in ("open_time", "observed_at")]
        items = [texts | {"open_time": each, "observed_at": read} for each in times]
        await self.store.insert_arrow("quarantine", pa.Table.from_pylist(items, pa.schema(columns)))

    async def explained(
        self,
        *series: Series,
        window: TimeRange = ALWAYS,
        now: datetime = LATE,
        venue: ExchangeProfile = VENUE,
    ):
        """What is explained, with a settle delay of one minute."""
        wanted = series or (BTC,)
        return await explained_ranges(
            self.store,
            venue=venue,
            symbols=sorted({item.symbol for item in wanted}),
            timeframes=sorted({item.timeframe for item in wanted}),
            window=window,
            now=now,
        )


@pytest.fixture(scope="module")
async def tables(clickhouse_server_url):
    url = clickhouse_database_url(clickhouse_server_url, "explained")
    async with clickhouse_database(url) as store:
        yield store


@pytest.fixture
async def coverage(tables):
    await empty(tables)
    return Coverage(tables)


async def test_nothing_is_explained_where_nothing_was_asked(coverage):
    assert await coverage.explained() == {}


async def test_ranges_that_touch_or_overlap_are_one(coverage):
    await coverage.add((at(0), at(10)), (at(10), at(20)), (at(15), at(30)), (at(2), at(4)))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(30))]}


async def test_a_hole_parts_two_ranges(coverage):
    await coverage.add((at(11), at(20)), (at(0), at(10)), (at(0), at(3)))
    assert await coverage.explained() == {
        BTC: [TimeRange(at(0), at(10)), TimeRange(at(11), at(20))]
    }


async def test_candles_read_before_they_had_settled_are_not_explained(coverage):
    await coverage.add((at(0), at(10), at(8.5)))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(7))]}


async def test_a_later_reading_explains_what_was_provisional(coverage):
    await coverage.add((at(0), at(10), at(10)), (at(9), at(12), at(13)))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(12))]}


async def test_a_range_read_wholly_too_early_explains_nothing(coverage):
    await coverage.add((at(0), at(10), at(1.5)))
    assert await coverage.explained() == {}


async def test_months_are_cut_at_the_calendar(coverage):
    series = Series("binance", "BTC/USDT", "1M")
    months = [datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]
    read = datetime(2024, 3, 15, tzinfo=UTC)
    await coverage.add((months[0], months[3], read), series=series)
    assert await coverage.explained(series) == {series: [TimeRange(months[0], months[2])]}


async def test_only_what_meets_the_window_is_read(coverage):
    await coverage.add((at(0), at(10)), (at(20), at(30)))
    assert await coverage.explained(window=TimeRange(at(25), at(26))) == {
        BTC: [TimeRange(at(20), at(30))]
    }


async def test_each_series_has_its_own_ranges(coverage):
    others = [
        Series("binance", "ETH/USDT", "1m"),
        Series("binance", "BTC/USDT", "1h"),
        Series("kraken", "BTC/USDT", "1m"),
    ]
    await coverage.add((at(0), at(10)))
    for hour, series in enumerate(others):
        await coverage.add((at(60 * hour), at(60 * hour + 60)), series=series)
    assert await coverage.explained(BTC, *others[:2]) == {
        BTC: [TimeRange(at(0), at(10))],
        others[0]: [TimeRange(at(0), at(60))],
        others[1]: [TimeRange(at(60), at(120))],
    }


async def test_a_slot_whose_row_was_refused_is_not_explained(coverage):
    await coverage.add((at(0), at(10)))
    await coverage.refuse(at(4), at(5))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(4)), TimeRange(at(6), at(10))]}


async def test_a_refused_row_takes_nothing_from_another_answer(coverage):
    await coverage.add((at(0), at(10)), (at(4), at(6), at(60)))
    await coverage.refuse(at(4), at(5), read=at(60))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(10))]}


async def test_a_slot_that_was_refused_each_time_is_not_explained(coverage):
    await coverage.add((at(0), at(10)), (at(4), at(6), at(60)))
    await coverage.refuse(at(4), read=at(60))
    await coverage.refuse(at(4))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(4)), TimeRange(at(5), at(10))]}


async def test_a_refused_row_off_the_grid_is_that_of_the_slot_it_lies_in(coverage):
    await coverage.add((at(0), at(10)))
    await coverage.refuse(at(4.5))
    assert await coverage.explained() == {BTC: [TimeRange(at(0), at(4)), TimeRange(at(5), at(10))]}


async def test_a_series_with_nothing_but_refused_rows_is_left_out(coverage):
    await coverage.add((at(0), at(1)))
    await coverage.refuse(at(0))
    assert await coverage.explained() == {}


@pytest.mark.parametrize("outcome", ["empty", "partial"])
@pytest.mark.parametrize(
    ("age", "relied_on"),
    [(timedelta(minutes=1), DAY), (10 * DAY, 10 * DAY), (400 * DAY, 30 * DAY)],
    ids=["new", "older", "old"],
)
async def test_what_a_venue_had_no_candle_of_is_explained_until_it_is_due(
    coverage, outcome: str, age: timedelta, relied_on: timedelta
):
    read = at(10) + age
    await coverage.add((at(0), at(10), read), outcome=outcome)
    shortly = timedelta(milliseconds=1)
    assert await coverage.explained(now=read + relied_on - shortly) == {
        BTC: [TimeRange(at(0), at(10))]
    }
    assert await coverage.explained(now=read + relied_on) == {}


@pytest.mark.parametrize(
    ("source", "outcome"), [("rest", "candles"), ("rest", "unlisted"), ("archive", "partial")]
)
async def test_what_is_said_for_good_is_never_due(coverage, source: str, outcome: str):
    await coverage.add((at(0), at(10), at(20)), source=source, outcome=outcome)
    assert await coverage.explained(now=LATE + 1000 * DAY) == {BTC: [TimeRange(at(0), at(10))]}


async def test_a_newer_answer_puts_off_when_an_older_one_is_due(coverage):
    await coverage.add((at(0), at(10), at(20)), (at(0), at(4), at(20) + 2 * DAY), outcome="empty")
    assert await coverage.explained(now=at(20) + 3 * DAY) == {BTC: [TimeRange(at(0), at(4))]}


async def test_what_a_venue_no_longer_answers_for_is_not_due(coverage):
    near = VENUE.model_copy(update={"reach": 60})
    await coverage.add((at(0), at(10), at(20)), (at(30), at(40), at(50)), outcome="empty")
    now = at(20) + 2 * DAY
    far = VENUE.model_copy(update={"reach": 2 * 1440 + 5})
    assert await coverage.explained(now=now, venue=far) == {BTC: [TimeRange(at(0), at(10))]}
    assert await coverage.explained(now=now, venue=near) == {
        BTC: [TimeRange(at(0), at(10)), TimeRange(at(30), at(40))]
    }
