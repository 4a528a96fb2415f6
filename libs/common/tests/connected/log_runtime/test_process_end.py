"""A process ends when its service has, whatever else is still at work in it."""

import asyncio
import os
import sys

import pytest

from candlelog.events.topics import SERVICES
from candlelog.grace import PROCESS_SECONDS

pytestmark = pytest.mark.connected

STUBBORN = """
import asyncio, gc, threading
from contextlib import suppress
from candlelog.entry import run
from candlelog.settings import ServiceSettings

async def stay():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

async def main(runtime, settings):
    {leave}
    await asyncio.sleep(0)
    {end}

kept = []
run("stubborn", ServiceSettings, main)
"""
TASK = "kept.append(asyncio.create_task(stay()))"
THREAD = "threading.Thread(target=threading.Event().wait).start()"
CRASH = "raise RuntimeError('a bug')"
COLLECTED = "assert gc.isenabled() and gc.get_freeze_count()"


@pytest.fixture
def topic_table():
    """The topic that every service writes to."""
    return (SERVICES,)


@pytest.mark.parametrize(
    ("leave", "end", "exit_code"),
    [
        pytest.param(TASK, "return", 0, id="task"),
        pytest.param(THREAD, "return", 0, id="thread"),
        pytest.param(THREAD, CRASH, 1, id="thread of a crash"),
        pytest.param("runtime.health.watch_lag(lambda: 1 / 0)", "await stay()", 1, id="main"),
    ],
)
async def test_what_would_stay_for_ever_does_not_keep_a_process(
    kafka_bootstrap: str, topics: str, leave: str, end: str, exit_code: int
):
    assert await ended(kafka_bootstrap, topics, leave, end) == exit_code


async def test_a_service_collects_garbage_but_not_among_its_modules(
    kafka_bootstrap: str, topics: str
):
    assert await ended(kafka_bootstrap, topics, COLLECTED, "return") == 0


async def ended(kafka_bootstrap: str, topics: str, leave: str, end: str) -> int:
    """The exit code of a service."""
    environment = {"CANDLELOG_KAFKA_BOOTSTRAP": kafka_bootstrap, "CANDLELOG_TOPIC_PREFIX": topics}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        STUBBORN.format(leave=leave, end=end),
        env=os.environ | environment,
    )
    try:
        async with asyncio.timeout(10 * PROCESS_SECONDS):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
