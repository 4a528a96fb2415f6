"""What a transaction says reaches the log in order, and only if the transaction stands."""

import asyncio
from uuid import UUID

import pytest

from candlelog.errors import Unavailable
from candlelog.events.jobs import JobControlV1

pytestmark = pytest.mark.connected


def control(generation: int, job: int = 1) -> JobControlV1:
    return JobControlV1(job_id=UUID(int=job), generation=generation, state="running")


def generations(desk) -> list[int]:
    return [event.generation for event in desk.said(JobControlV1)]


async def drain(desk) -> None:
    while await desk.relay.step():
        pass


async def test_events_reach_the_log_in_the_order_they_were_said(desk):
    for first in (0, 700, 1400):
        async with desk.transactions.begin() as transaction:
            transaction.say(*(control(n) for n in range(first, first + 700)))
    await drain(desk)
    assert generations(desk) == list(range(2100))


async def test_a_transaction_that_fails_says_nothing(desk):
    async def fail() -> None:
        async with desk.transactions.begin() as transaction:
            transaction.say(control(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await drain(desk)
    assert generations(desk) == []
    assert not desk.transactions.outbox_filled.is_set()


async def test_a_commit_wakes_the_relay(desk):
    async with desk.transactions.begin() as transaction:
        transaction.say(control(1))
    assert desk.transactions.outbox_filled.is_set()


async def test_while_the_log_is_away_events_stay(desk):
    async with desk.transactions.begin() as transaction:
        transaction.say(control(1), control(2))
    desk.log.away = True
    with pytest.raises(Unavailable):
        await desk.relay.step()
    desk.log.away = False
    await drain(desk)
    assert generations(desk) == [1, 2]


async def test_a_row_that_commits_late_is_not_lost(desk):
    began, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with desk.transactions.begin() as transaction:
            transaction.say(control(1))
            await desk.transactions._write(transaction)
            transaction.said.clear()
            began.set()
            await finish.wait()

    writing = asyncio.create_task(slow())
    await began.wait()
    async with desk.transactions.begin() as transaction:
        transaction.say(control(2, job=2))
    await drain(desk)
    finish.set()
    await writing
    await drain(desk)
    assert sorted(generations(desk)) == [1, 2]


async def test_two_relays_at_once_publish_everything_once(desk):
    async with desk.transactions.begin() as transaction:
        transaction.say(*(control(n) for n in range(3000)))
    await asyncio.gather(*(drain(desk) for _ in range(4)))
    assert generations(desk) == list(range(3000))


async def test_a_postgres_that_is_away_is_an_outage(desk, pool):
    await pool.close()
    with pytest.raises(Unavailable):
        await desk.relay.step()
    with pytest.raises(Unavailable):
        await desk.releases.step()
