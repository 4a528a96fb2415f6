import asyncio
import socket
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from candlelog.errors import Unavailable
from candlelog.stores.clickhouse import ClickHouse

pytestmark = pytest.mark.connected


@pytest.fixture
async def store(clickhouse_url):
    opened = ClickHouse(clickhouse_url)
    yield opened
    await opened.close()


@pytest.fixture
async def numbers(store):
    await store.command(
        "CREATE TABLE numbers (number UInt32, at DateTime64(3, 'UTC')) "
        "ENGINE = MergeTree ORDER BY number"
    )
    at = datetime(2024, 2, 1, 0, 0, 0, 123000, tzinfo=UTC)
    rows = pa.table({"number": pa.array([1, 2, 3], pa.uint32()), "at": [at] * 3})
    await store.insert_arrow("numbers", rows)
    return at


async def test_inserted_rows_are_readable_at_once_with_aware_times(store, numbers):
    rows = await store.query("SELECT number, at FROM numbers ORDER BY number")
    assert rows == [(1, numbers), (2, numbers), (3, numbers)]


async def test_values_are_bound_and_times_keep_their_milliseconds(store, numbers):
    sql = (
        "SELECT number FROM numbers WHERE at = {at:DateTime64(3)} AND number IN {all:Array(UInt32)}"
    )
    assert await store.query(sql, at=numbers, all=[2]) == [(2,)]


async def test_columns_can_be_read_as_arrow(store, numbers):
    table = await store.query_arrow(
        "SELECT {text:String} AS text, number, at FROM numbers WHERE number = 1", text="a'b"
    )
    assert table.to_pylist() == [{"text": "a'b", "number": 1, "at": numbers}]


async def test_long_lists_of_values_are_accepted(store):
    names = [f"SYMBOL{number}/USDT" for number in range(1000)]
    assert await store.query("SELECT length({names:Array(String)})", names=names) == [(1000,)]


async def test_queries_run_at_the_same_time(store):
    counts = await asyncio.gather(
        *(store.query("SELECT count() FROM numbers(1000000)") for _ in range(12))
    )
    assert counts == [[(1_000_000,)]] * 12


async def test_a_missing_database_is_created_once_and_kept(clickhouse_url):
    store = ClickHouse(clickhouse_url + "_created")
    try:
        with pytest.raises(Unavailable):
            await store.ping()
        await store.ensure_database()
        await store.ensure_database()
        await store.ping()
        await store.command(f"DROP DATABASE {clickhouse_url.rsplit('/')[-1]}_created SYNC")
    finally:
        await store.close()


async def test_a_server_that_is_away_is_unavailable():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        store = ClickHouse(f"http://127.0.0.1:{free.getsockname()[1]}/candlelog")
    with pytest.raises(Unavailable, match="ClickHouse"):
        await store.ping()
    await store.close()


async def test_a_server_that_does_not_answer_in_time_is_unavailable(monkeypatch):
    monkeypatch.setattr("candlelog.stores.clickhouse.ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = ClickHouse(f"http://127.0.0.1:{silent.getsockname()[1]}/candlelog")
        with pytest.raises(Unavailable, match="timed out"):
            await store.ping()
        await store.close()


async def test_a_table_that_is_not_there_yet_is_unavailable(store):
    with pytest.raises(Unavailable):
        await store.query("SELECT * FROM candles_latest")


async def test_a_statement_that_is_wrong_is_a_bug_and_no_outage(store):
    with pytest.raises(DatabaseError):
        await store.query("SELEC 1")


@pytest.mark.parametrize("reason", ["TOO_MANY_PARTS", "TIMEOUT_EXCEEDED", "NOT_ENOUGH_SPACE"])
async def test_a_server_that_says_not_now_is_unavailable(store, reason):
    codes = {"TIMEOUT_EXCEEDED": 159, "NOT_ENOUGH_SPACE": 243, "TOO_MANY_PARTS": 252}
    with pytest.raises(Unavailable):
        await store.query(
            "SELECT throwIf(1, 'no', {code:Int16}) SETTINGS allow_custom_error_code_in_throwif = 1",
            code=codes[reason],
        )
