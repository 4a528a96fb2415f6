"""The sink on the real engine: columns others rely on, wide flushes and reads."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.events.candles import CandleBatchV1
from candlelog.log.outcome import Done

pytestmark = pytest.mark.connected

COLUMNS = {
    "candles_latest": {
        "exchange": "String", "symbol": "String", "timeframe": "String",
        "open_time": "DateTime64(3, 'UTC')",
        "open": "Float64", "high": "Float64", "low": "Float64", "close": "Float64",
        "volume": "Float64", "quote_volume": "Nullable(Float64)", "trades": "Nullable(UInt32)",
        "source": "String", "observed_at": "DateTime64(3, 'UTC')",
    },
    "coverage": {
        "exchange": "String", "symbol": "String", "timeframe": "String",
        "start": "DateTime64(3, 'UTC')", "end": "DateTime64(3, 'UTC')",
        "source": "String", "outcome": "String", "job_id": "UUID", "chunk_id": "UUID",
        "observed_at": "DateTime64(3, 'UTC')",
    },
}  # fmt: skip


@pytest.mark.parametrize("table", COLUMNS)
async def test_the_columns_others_rely_on_have_their_names_and_types(clickhouse, table):
    described = await clickhouse.query(f"DESCRIBE (SELECT * FROM {table})")
    assert {row[0]: row[1] for row in described} == COLUMNS[table]


@pytest.mark.parametrize("timeframe", ["1m", "1w"])
async def test_one_flush_may_reach_over_many_months(
    clickhouse, clickhouse_tables, bench_over, batch_of, timeframe
):
    monday, step = datetime(2010, 1, 4, tzinfo=UTC), timedelta(weeks=5)
    width = timedelta(minutes=1) if timeframe == "1m" else timedelta(weeks=1)
    batches = [
        moved(batch_of([1.0], timeframe=timeframe), monday + number * step, width)
        for number in range(150)
    ]
    outcomes = await bench_over(clickhouse_tables).store(*batches)
    assert outcomes == [Done()] * 150
    assert await clickhouse.query("SELECT count() FROM candles_latest") == [(150,)]


async def test_one_batch_may_reach_over_a_hundred_years(
    clickhouse, clickhouse_tables, bench_over, batch_of
):
    months = [datetime(1970 + n // 12, n % 12 + 1, 1, tzinfo=UTC) for n in range(1200)]
    event = batch_of([1.0])
    end = months[-1] + timedelta(minutes=1)
    header = event.header.model_copy(
        update={"start": months[0], "end": end, "slots": (end - months[0]) // timedelta(minutes=1)}
    )
    row = event.rows.to_pylist()[0]
    rows = [row | {"open_time": month} for month in months]
    sparse = CandleBatchV1(header, event.rows.from_pylist(rows, schema=event.rows.schema))
    assert await bench_over(clickhouse_tables).store(sparse) == [Done()]
    assert await clickhouse.query("SELECT count() FROM candles_latest") == [(1200,)]


def moved(event: CandleBatchV1, start: datetime, width: timedelta) -> CandleBatchV1:
    """The batch of one candle at another time."""
    header = event.header.model_copy(update={"start": start, "end": start + width})
    row = event.rows.to_pylist()[0] | {"open_time": start}
    return CandleBatchV1(header, event.rows.from_pylist([row], schema=event.rows.schema))


async def test_a_refresh_over_many_ranges_reads_them_in_several_statements(
    clickhouse, clickhouse_tables, bench_over, batch_of
):
    def answers(close: float, observed: int) -> list[CandleBatchV1]:
        return [batch_of([close] * 2, start=9 * n, observed=observed) for n in range(250)]

    bench = bench_over(clickhouse_tables)
    await bench.store(*answers(1.0, 1))
    await bench.store(*answers(2.0, 2))
    assert await clickhouse.query("SELECT count(), sum(close) FROM candles_latest") == [(500, 1000)]
    revised = await clickhouse.query("SELECT count(), sum(close) FROM candle_revisions FINAL")
    assert revised == [(500, 500)]
