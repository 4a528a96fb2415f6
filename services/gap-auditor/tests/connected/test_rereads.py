"""What was read too early to be final is asked for again, on a real Postgres."""

import asyncio

import pytest

from candlelog.events.jobs import SubmitJobV1
from candlelog.market.series import Series
from candlelog.market.slots import SlotState

pytestmark = pytest.mark.connected

BTC = Series("binance", "BTC/USDT", "1m")
ETH = Series("binance", "ETH/USDT", "1m")


def told(desk) -> list[tuple[str, tuple[str, ...], int, int]]:
    jobs = sorted(desk.said(SubmitJobV1), key=lambda job: job.submitted_at)
    return [(job.kind, job.symbols, job.start.minute, job.end.minute) for job in jobs]


@pytest.fixture
async def early(desk, slots, job, in_minutes):
    """A job of ten minutes of two series, the last two of each read before they were final."""
    for series in (BTC, ETH):
        slots.learn(series, in_minutes(0, 8), SlotState.PRESENT)
        slots.learn(series, in_minutes(8, 10), SlotState.PROVISIONAL)
    one = job(0, 10, BTC, ETH)
    await desk.hear(*one.planned(), *one.tasks(), one.ended())
    return one


async def read_again(desk, job, *series: Series) -> None:
    """The one job that was asked for ends."""
    (asked,) = desk.said(SubmitJobV1)
    again = job(8, 10, *series)
    again.job_id = asked.job_id
    await desk.hear(*again.planned(), *again.tasks(), again.ended())


@pytest.mark.usefixtures("early")
async def test_it_is_asked_for_once_the_settle_delay_is_over(desk):
    await desk.wait(seconds=59)
    assert told(desk) == []
    await desk.wait(seconds=1)
    assert told(desk) == [("refresh", ("BTC/USDT", "ETH/USDT"), 8, 10)]
    await desk.wait(hours=23)
    assert len(told(desk)) == 1


@pytest.mark.usefixtures("early")
async def test_what_is_final_then_is_not_asked_for_again(desk, slots, job, in_minutes):
    await desk.wait(minutes=1)
    slots.learn(BTC, in_minutes(8, 10), SlotState.PRESENT)
    await read_again(desk, job, BTC, ETH)
    await desk.wait(days=1)
    assert told(desk)[1:] == [("refresh", ("ETH/USDT",), 8, 10)]


@pytest.mark.usefixtures("early")
async def test_a_job_that_is_never_heard_of_is_followed_by_another(desk):
    await desk.wait(minutes=1)
    await desk.wait(days=1)
    assert len(told(desk)) == 2


@pytest.mark.usefixtures("early")
async def test_while_its_job_is_at_work_nobody_else_is_asked(desk, job):
    await desk.wait(minutes=1)
    (asked,) = desk.said(SubmitJobV1)
    at_work = job(8, 10, BTC, ETH)
    at_work.job_id = asked.job_id
    await desk.hear(*at_work.planned(), at_work.ended("running", 1))
    await desk.wait(days=2)
    assert len(told(desk)) == 1


@pytest.mark.usefixtures("early")
async def test_jobs_that_are_never_heard_of_are_eight_at_most(desk):
    for _ in range(12):
        await desk.wait(days=1)
    assert len(told(desk)) == 8
    assert await desk.pool.fetchval("SELECT count(*) FROM rereads") == 0


@pytest.mark.usefixtures("early")
async def test_it_is_asked_for_once_by_any_number_of_auditors(desk):
    desk.clock.advance(60)
    await asyncio.gather(*(desk.rereads.step() for _ in range(4)))
    await desk.work()
    assert len(told(desk)) == 1
