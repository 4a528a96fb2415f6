"""What both kinds of tables promise: the engine and the ones in memory."""

import pyarrow as pa
import pytest

from candlelog.market.series import Series
from clickhouse_sink.adapters.memory import MemoryTables
from clickhouse_sink.domain.batches import Batch, Window
from clickhouse_sink.domain.tables import CANDLE_ROWS, candle_rows, coverage_rows, quarantine_rows

pytestmark = pytest.mark.connected

BTC = Series("binance", "BTC/USDT", "1m")
ETH = Series("binance", "ETH/USDT", "1m")


@pytest.fixture(params=["memory", "clickhouse"])
def tables(request):
    if request.param == "memory":
        return MemoryTables()
    return request.getfixturevalue("clickhouse_tables")


def rows_of(*events) -> pa.Table:
    batches = [Batch.of(event) for event in events]
    return pa.Table.from_batches([candle_rows(batches)])


def window(event) -> Window:
    return Batch.of(event).window


async def test_what_was_asked_is_found_by_overlap(tables, batch_of):
    events = [batch_of([1.0] * 3, start=start) for start in (0, 3, 6)]
    await tables.append("coverage", coverage_rows([Batch.of(event) for event in events]))
    middle = window(events[1])
    found = await tables.asked([Window(BTC, middle.start, middle.start + 1)])
    assert found[BTC].start.tolist() == [middle.start]
    assert found[BTC].end.tolist() == [middle.end]
    assert found[BTC].observed_at.tolist() == [Batch.of(events[1]).observed_at]


async def test_coverage_written_twice_is_found_once(tables, batch_of):
    batch = Batch.of(batch_of([1.0]))
    for _ in range(2):
        await tables.append("coverage", coverage_rows([batch]))
    assert len((await tables.asked([batch.window]))[BTC].start) == 1


async def test_nothing_is_found_where_nothing_was_asked(tables, batch_of):
    assert await tables.asked([window(batch_of([1.0]))]) == {}
    assert await tables.held("candles", []) == {}


async def test_rows_are_cut_by_series_and_come_in_the_order_of_time(tables, batch_of):
    first, second = batch_of([1.0, 2.0]), batch_of([3.0], symbol="ETH/USDT", start=1)
    await tables.append("candles", rows_of(second, first))
    found = await tables.held("candles", [window(second), window(first)])
    assert {series: rows.column("close").to_pylist() for series, rows in found.items()} == {
        BTC: [1.0, 2.0],
        ETH: [3.0],
    }


async def test_only_rows_inside_the_windows_are_read(tables, batch_of):
    await tables.append("candles", rows_of(batch_of([1.0, 2.0, 3.0, 4.0])))
    parts = [window(batch_of([1.0], start=start)) for start in (0, 3)]
    found = await tables.held("candles", parts)
    assert found[BTC].column("close").to_pylist() == [1.0, 4.0]


async def test_of_two_versions_of_a_slot_the_newer_is_the_row(tables, batch_of):
    new, old = batch_of([2.0], observed=2), batch_of([1.0], observed=1)
    for event in (new, old):
        await tables.append("candles", rows_of(event))
    found = await tables.held("candles", [window(new)])
    assert found[BTC].column("close").to_pylist() == [2.0]


async def test_of_two_versions_of_one_moment_the_last_written_is_the_row(tables, batch_of):
    for close in (2.0, 1.0):
        await tables.append("candles", rows_of(batch_of([close])))
    found = await tables.held("candles", [window(batch_of([1.0]))])
    assert found[BTC].column("close").to_pylist() == [1.0]


async def test_revisions_keep_every_moment_of_a_slot(tables, batch_of):
    events = [batch_of([1.0], observed=1), batch_of([2.0], observed=2)]
    for event in (*reversed(events), events[0]):
        await tables.append("candle_revisions", rows_of(event))
    found = await tables.held("candle_revisions", [window(events[0])])
    assert found[BTC].column("close").to_pylist() == [1.0, 2.0]


async def test_values_come_back_as_they_went(tables, batch_of):
    event = batch_of([0.1 + 0.2])
    rows = pa.Table.from_pylist([rows_of(event).to_pylist()[0] | {"trades": None}], CANDLE_ROWS)
    await tables.append("candles", rows)
    (found,) = (await tables.held("candles", [window(event)])).values()
    assert found.to_pylist() == rows.to_pylist()


async def test_refused_rows_without_a_time_are_accepted(tables, batch_of):
    refused = {"raw": "'; DROP TABLE candles; --\x00", "reason": "malformed"}
    batch = Batch.of(batch_of([1.0], quarantined=[refused]))
    await tables.append("quarantine", quarantine_rows([batch]))


async def test_symbols_are_values_and_never_part_of_a_statement(tables, batch_of):
    symbol = "x'); DROP TABLE candles; -- \\ {n} 😀"
    event = batch_of([1.0], symbol=symbol)
    await tables.append("candles", rows_of(event))
    (series,) = await tables.held("candles", [window(event)])
    assert series.symbol == symbol
