"""The process of a service: how it starts, and that it ends.

What `main` raises ends the process with exit code 1, and whoever supervises it starts it again:
nothing here tries to live on with a bug.
"""

import asyncio
import gc
import os
import sys
from collections.abc import Iterator
from contextvars import copy_context
from functools import partial
from threading import Timer
from typing import Final

import structlog
import uvloop

from candlelog.errors import CandlelogError, Misconfigured
from candlelog.grace import LEFTOVERS_SECONDS, PROCESS_SECONDS
from candlelog.lifecycle import Main, SettingsT, serve
from candlelog.telemetry import configure_logging

_LOGGER: Final = structlog.get_logger()


def run(service: str, settings_class: type[SettingsT], main: Main[SettingsT]) -> None:
    """Run a service until it is told to stop; ends the process with its exit code."""
    gc.freeze()  # what was imported stays: never to be looked through again
    gc.enable()
    try:
        settings = settings_class.load()
    except Misconfigured as error:
        sys.exit(f"{service}: {error}")
    configure_logging(service, settings.instance)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        exit_code = runner.run(_supervise(service, settings, main))
        _end_after(LEFTOVERS_SECONDS, exit_code)
    sys.exit(exit_code)


async def _supervise(service: str, settings: SettingsT, main: Main[SettingsT]) -> int:
    try:
        await serve(service, settings, main, partial(_end_after, PROCESS_SECONDS, 1))
    except* CandlelogError as errors:
        for error in _leaves(errors):
            _LOGGER.error("service_ended", reason=str(error))
    except* Exception as errors:  # the one place that lets the process die
        _LOGGER.error("service_crashed", exc_info=errors)
    else:
        return 0
    return 1


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _end_after(seconds: float, exit_code: int) -> None:
    """End the process then even if a task or a thread of a library never does: one that has
    crashed is started again only once it is gone."""

    def end() -> None:
        try:
            _LOGGER.warning("leftovers_dropped", reason="a task or a thread would not end")
        finally:
            os._exit(exit_code)

    timer = Timer(seconds, copy_context().run, [end])
    timer.name = "leftovers"
    timer.daemon = True
    timer.start()
