"""Starting and stopping a client of the broker, both bounded in time."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

import structlog

from candlelog.errors import Unavailable
from candlelog.log.kafka.errors import mapped

OPEN_SECONDS: Final = 60.0
"""Longer than a rebalance that waits for a member which has died."""

CLOSE_SECONDS: Final = 5.0

_LOGGER: Final = structlog.get_logger()


class _Client(Protocol):
    def start(self) -> Coroutine[None, None, None]: ...

    def stop(self) -> Coroutine[None, None, None]: ...


ClientT = TypeVar("ClientT", bound=_Client)


@asynccontextmanager
async def running(client: ClientT) -> AsyncGenerator[ClientT]:
    """`client`, started; stopped when left. Raises `Unavailable` when it cannot start."""
    try:
        await start(client)
        yield client
    finally:
        await stop(client)


async def start(client: _Client) -> None:
    """Connect, and join the group where there is one."""
    with mapped("connecting to the log"):
        async with asyncio.timeout(OPEN_SECONDS):
            try:
                await client.start()
            except AssertionError as error:  # aiokafka's: there must be a broker to ask
                # A broker that was stopped for a while has yet to be let in again by its
                # controller, and lists no broker until then.
                raise Unavailable("connecting to the log: no broker is listed") from error


async def stop(client: _Client) -> None:
    """Say goodbye to the broker; a broker that does not answer is left without.

    The goodbye is a task of its own: a consumer that waits to fetch again ends its `stop` with a
    cancellation of aiokafka's own, which must not be taken for one of the caller.
    """
    leaving = asyncio.create_task(client.stop())
    _, late = await asyncio.wait({leaving}, timeout=CLOSE_SECONDS)
    if late:
        leaving.cancel()
        await asyncio.wait({leaving}, timeout=CLOSE_SECONDS)
    if leaving.cancelled() or leaving.exception() is not None:
        _LOGGER.warning("log_left_without_goodbye")
