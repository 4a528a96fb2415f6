"""What both kinds of sets promise: in memory, and on the engine."""

import pyarrow as pa
import pytest

from candlelog.errors import Unavailable
from candlelog.events.topics import CANDLES
from candlelog.log.partitioner import partition_of
from candlelog.market.series import Series
from candlelog.stores.clickhouse import ClickHouse
from clickhouse_sink.adapters.clickhouse import ClickHouseTables
from clickhouse_sink.adapters.memory import MemorySets
from clickhouse_sink.domain.batches import Batch, Window
from clickhouse_sink.domain.tables import candle_rows
from clickhouse_sink.handlers.writing import write

pytestmark = pytest.mark.connected

BTC = Series("binance", "BTC/USDT", "1m")
PARTITION = partition_of(BTC.text.encode(), CANDLES.partitions)


@pytest.fixture(params=["memory", "clickhouse"])
def sets(request):
    if request.param == "memory":
        return MemorySets()
    return request.getfixturevalue("clickhouse_sets")


async def closes(tables) -> list[float]:
    window = Window(BTC, 0, 2**41)
    found = await tables.held("candles", [window])
    return found[BTC].column("close").to_pylist() if found else []


async def test_without_a_shadow_there_is_one_set(sets):
    assert len(await sets.current()) == 1
    assert await sets.shadow(5) is None


async def test_a_shadow_is_empty_and_comes_before_the_live_set(sets, batch_of):
    (live,) = await sets.current()
    await write(live, [Batch.of(batch_of([1.0]))])
    await sets.open(5)
    assert [await closes(tables) for tables in await sets.current()] == [[], [1.0]]


async def test_what_is_open_may_be_opened_again(sets, batch_of):
    await sets.open(5)
    await write((await sets.current())[0], [Batch.of(batch_of([1.0]))])
    await sets.open(5)
    assert await closes(await sets.shadow(5)) == [1.0]


async def test_sets_are_exchanged_and_exchanged_back(sets, batch_of):
    await sets.open(5)
    shadow, live = await sets.current()
    await write(shadow, [Batch.of(batch_of([2.0]))])
    await write(live, [Batch.of(batch_of([1.0]))])
    for rebuilt, expected in ((True, 2.0), (True, 2.0), (False, 1.0), (False, 1.0)):
        await sets.serve(5, rebuilt=rebuilt)
        assert await closes((await sets.current())[1]) == [expected]
        assert (await sets.shadow(5) is None) == rebuilt


async def test_what_was_not_switched_to_is_dropped_with_the_shadow(sets, batch_of):
    (live,) = await sets.current()
    await write(live, [Batch.of(batch_of([1.0]))])
    await sets.open(5)
    await sets.close(5)
    await sets.close(5)
    assert [await closes(tables) for tables in await sets.current()] == [[1.0]]


async def test_what_was_switched_to_stays_when_the_shadow_is_dropped(sets, batch_of):
    await sets.open(5)
    await write((await sets.current())[0], [Batch.of(batch_of([2.0]))])
    await sets.serve(5, rebuilt=True)
    await sets.close(5)
    assert [await closes(tables) for tables in await sets.current()] == [[2.0]]


@pytest.mark.parametrize("rebuilt", [True, False])
async def test_a_late_word_about_an_older_shadow_does_not_touch_a_newer_one(sets, rebuilt):
    await sets.open(5)
    await sets.serve(5, rebuilt=rebuilt)
    await sets.close(5)
    await sets.open(6)
    await sets.close(5)
    assert await sets.shadow(6) is not None


async def test_answers_that_the_shadow_lacks_are_found_until_it_has_them(sets, batch_of):
    (live,) = await sets.current()
    answers = [Batch.of(batch_of([1.0], start=n, observed=n)) for n in range(5)]
    await write(live, answers)
    await sets.open(5)
    await write(await sets.shadow(5), [answers[1]])
    untold = await sets.untold(PARTITION, 3)
    assert untold.total == 4
    assert [answer.observed_at for answer in untold.answers] == [
        answers[n].header.observed_at for n in (0, 2, 3)
    ]
    assert untold.answers[0].window == answers[0].window
    assert untold.answers[0].chunk_id == answers[0].header.chunk_id
    assert (await sets.untold((PARTITION + 1) % CANDLES.partitions, 3)).total == 0
    await write(await sets.shadow(5), answers)
    assert (await sets.untold(PARTITION, 3)).total == 0


@pytest.mark.parametrize("name", ["candles", "candle_revisions", "coverage"])
async def test_a_table_that_was_exchanged_refuses_the_rows_of_the_other(
    clickhouse_sets, batch_of, name
):
    await clickhouse_sets.open(5)
    shadow, live = await clickhouse_sets.current()
    await clickhouse_sets.serve(5, rebuilt=True)
    batch = Batch.of(batch_of([1.0]))
    rows = pa.Table.from_batches([candle_rows([batch])])
    columns = {"candles": rows, "candle_revisions": rows, "coverage": rows.select(range(3))}
    for tables in (shadow, live):
        with pytest.raises(Unavailable):
            await tables.append(name, columns[name])
    for tables in await clickhouse_sets.current():
        await tables.append(name, columns[name])


async def test_nothing_is_written_while_only_some_tables_are_exchanged(clickhouse_sets, clickhouse):
    await clickhouse_sets.open(5)
    live = clickhouse.database
    await clickhouse.command(f"EXCHANGE TABLES {live}.candles AND {live}_shadow.candles")
    with pytest.raises(Unavailable):
        await clickhouse_sets.current()
    await clickhouse_sets.serve(5, rebuilt=True)
    assert len(await clickhouse_sets.current()) == 2


async def test_the_tables_are_exchanged_in_the_order_in_which_a_wave_writes_them(
    clickhouse_sets, clickhouse, batch_of, monkeypatch
):
    statements, written = [], []
    (live,) = await clickhouse_sets.current()
    append, command = ClickHouseTables.append, ClickHouse.command

    async def appended(tables, name, rows):
        written.append(name)
        await append(tables, name, rows)

    async def commanded(store, sql, **params):
        statements.append(sql)
        await command(store, sql, **params)

    monkeypatch.setattr(ClickHouseTables, "append", appended)
    await write(live, [Batch.of(batch_of([1.0]))])
    await write(live, [Batch.of(batch_of([2.0], observed=1))])
    await clickhouse_sets.open(5)
    monkeypatch.setattr(ClickHouse, "command", commanded)
    await clickhouse_sets.serve(5, rebuilt=True)
    exchanged = [sql.split(" AND ")[0].rpartition(".")[2] for sql in statements]
    assert exchanged == ["candle_revisions", "candles", "coverage"] == written[-3:]


@pytest.mark.parametrize("rebuilt", [True, False])
async def test_a_word_about_a_set_that_is_not_there_exchanges_nothing(sets, batch_of, rebuilt):
    await sets.open(6)
    shadow, live = await sets.current()
    await write(shadow, [Batch.of(batch_of([2.0]))])
    await write(live, [Batch.of(batch_of([1.0]))])
    await sets.serve(5, rebuilt=rebuilt)
    assert [await closes(tables) for tables in await sets.current()] == [[2.0], [1.0]]
