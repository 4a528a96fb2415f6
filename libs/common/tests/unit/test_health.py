"""What a process says of itself."""

import asyncio

import httpx

from candlelog.health import Health, health_app


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


async def test_a_trouble_is_told_of_and_keeps_nobody_from_being_ready():
    health = Health()
    health.started()
    health.watch_troubles(lambda: {"binance": "does not answer"})
    assert (await health.failing(), await health.unwell()) == ({}, {"binance": "does not answer"})


def test_the_lag_is_the_sum_of_its_readings():
    health = Health()
    health.watch_lag(lambda: 3)
    health.watch_lag(lambda: 4)
    assert health.lag == 7


async def asked_elsewhere(health: Health) -> httpx.Response:
    """What a path is answered with that nobody has mounted."""
    transport = httpx.ASGITransport(health_app(health))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.get("/api/v1/jobs")


async def test_what_is_asked_of_a_process_that_has_not_started_is_not_there_yet():
    answer = await asked_elsewhere(Health())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "starting"


async def test_what_a_started_process_does_not_have_is_not_found():
    health = Health()
    health.started()
    assert (await asked_elsewhere(health)).status_code == 404
