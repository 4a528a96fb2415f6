"""What a process says of itself."""

import asyncio

from candlelog.health import Health


async def fine() -> None:
    return


async def away() -> None:
    raise OSError("Postgres is away")


async def test_a_process_that_has_not_started_is_not_ready():
    assert await Health().failing() == {"process": "starting"}


async def test_a_started_process_whose_checks_pass_is_ready():
    health = Health()
    health.check("postgres", fine)
    health.started()
    assert await health.failing() == {}


async def test_a_check_that_raises_is_named_with_its_reason():
    health = Health()
    health.check("postgres", away)
    health.check("clickhouse", fine)
    health.started()
    assert await health.failing() == {"postgres": "Postgres is away"}


async def test_a_check_that_never_answers_fails_in_bounded_time():
    health = Health()
    health.check("postgres", asyncio.Event().wait)
    health.started()
    assert await health.failing() == {"postgres": "TimeoutError"}


def test_the_lag_is_the_sum_of_its_readings():
    health = Health()
    health.watch_lag(lambda: 3)
    health.watch_lag(lambda: 4)
    assert health.lag == 7
