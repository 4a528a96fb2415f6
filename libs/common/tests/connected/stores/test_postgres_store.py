"""What of Postgres is an outage, and what is a bug."""

import asyncio

import pytest

from candlelog.errors import Unavailable
from candlelog.stores.postgres import connect, outages

pytestmark = pytest.mark.connected


@pytest.fixture
async def pool(postgres_dsn):
    async with connect(postgres_dsn, schema="public") as opened:
        yield opened


async def test_a_server_that_does_not_answer_is_an_outage():
    with pytest.raises(Unavailable):
        async with connect("postgresql://127.0.0.1:1/none", schema="public"):
            pass


async def test_a_connection_that_is_cut_is_an_outage(pool):
    with pytest.raises(Unavailable), outages():
        await pool.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def fall_idle(pool) -> None:
    """Begin a transaction and ask for nothing until the server has had enough."""
    ended = asyncio.Event()
    async with asyncio.timeout(240), pool.acquire() as connection:
        connection.add_termination_listener(lambda _: ended.set())
        await connection.execute("BEGIN")
        await ended.wait()
        await connection.execute("COMMIT")


async def test_a_transaction_that_asks_for_nothing_is_ended_after_a_while(postgres_dsn):
    async with connect(postgres_dsn, schema="public", idle_seconds=1) as pool:
        with pytest.raises(Unavailable), outages():
            await fall_idle(pool)


@pytest.mark.parametrize(
    ("sql", "value"),
    [("SELECT $1::int", 2**31), ("SELECT $1::bigint", 2**63), ("SELECT $1::text", "a\0b")],
)
async def test_a_value_that_no_column_holds_is_no_outage(pool, sql, value):
    with pytest.raises(Exception, match=r"argument|encoding") as caught, outages():
        await pool.fetchval(sql, value)
    assert not isinstance(caught.value, Unavailable)
