"""A process ends when its service has, whatever else is still at work in it."""

import asyncio
import os
import sys

import pytest

from candlelog.grace import PROCESS_SECONDS

pytestmark = pytest.mark.connected

STUBBORN = """
import asyncio, threading
from contextlib import suppress
from candlelog.lifecycle import run
from candlelog.settings import ServiceSettings

async def stay():
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

async def main(runtime, settings):
    kept.append(asyncio.create_task(stay()))
    threading.Thread(target=threading.Event().wait).start()
    await asyncio.sleep(0)
    {end}

kept = []
run("stubborn", ServiceSettings, main)
"""


@pytest.mark.parametrize(("end", "exit_code"), [("return", 0), ("raise RuntimeError('a bug')", 1)])
async def test_a_task_and_a_thread_that_would_stay_for_ever_do_not_keep_a_process(
    kafka_bootstrap: str, topics: str, end: str, exit_code: int
):
    environment = {"CANDLELOG_KAFKA_BOOTSTRAP": kafka_bootstrap, "CANDLELOG_TOPIC_PREFIX": topics}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN.format(end=end), env=os.environ | environment
    )
    try:
        async with asyncio.timeout(10 * PROCESS_SECONDS):
            assert await process.wait() == exit_code
    finally:
        if process.returncode is None:
            process.kill()
