"""Who looked before its turn learns whether its slots were written meanwhile."""

import asyncio
from contextlib import suppress

import pytest

from candlelog.errors import Unavailable
from clickhouse_sink.domain.batches import Batch
from clickhouse_sink.handlers.turns import Turns


@pytest.fixture
def batch(batch_of):
    """A batch of three slots from one on."""

    def made(start: int, symbol: str = "BTC/USDT") -> Batch:
        return Batch.of(batch_of([1.0, 2.0, 3.0], start=start, symbol=symbol))

    return made


async def test_turns_come_in_the_order_in_which_they_were_waited_for():
    turns, order = Turns(), list[int]()

    async def take(number: int) -> None:
        async with turns.mine():
            await asyncio.sleep(0)
            order.append(number)

    await asyncio.gather(*(take(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("start", "symbol", "touched"),
    [(2, "BTC/USDT", True), (3, "BTC/USDT", False), (0, "ETH/USDT", False)],
)
async def test_a_slot_that_was_written_since_is_touched(
    batch, start: int, symbol: str, touched: bool
):
    turns = Turns()
    since = turns.now
    async with turns.mine() as turn:
        turn.writes([batch(0)])
    assert turns.touched([batch(start, symbol)], since) == touched


async def test_what_is_written_while_one_looks_counts(batch):
    turns = Turns()
    async with turns.mine() as turn:
        since = turns.now
        turn.writes([batch(0)])
    assert turns.touched([batch(0)], since)


async def test_what_was_written_long_before_does_not_count(batch):
    turns = Turns()
    async with turns.mine() as turn:
        turn.writes([batch(0)])
    async with turns.mine():
        pass
    assert not turns.touched([batch(0)], turns.now)


async def test_who_looked_longer_ago_than_is_remembered_looks_again(batch):
    turns = Turns()
    since = turns.now
    for _ in range(20):
        async with turns.mine():
            pass
    assert turns.touched([batch(0)], since)


async def test_nobody_writes_before_one_who_has_failed_has_tried_again():
    turns, order = Turns(), list[str]()
    failed, refused = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        with suppress(Unavailable):
            async with turns.mine():
                raise Unavailable("the engine is away")
        failed.set()
        await refused.wait()
        async with turns.mine():
            order.append("first")

    async def second() -> None:
        await failed.wait()
        with pytest.raises(Unavailable, match="the engine is away"):
            async with turns.mine():
                pass
        refused.set()
        await failing
        async with turns.mine():
            order.append("second")

    failing = asyncio.create_task(first())
    await second()
    assert order == ["first", "second"]


async def test_one_who_has_failed_and_is_gone_keeps_nobody_waiting():
    turns = Turns()

    async def failing() -> None:
        async with turns.mine():
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 -- raised above
        await asyncio.create_task(failing())
    async with turns.mine() as turn:
        assert turn.number == turns.now
