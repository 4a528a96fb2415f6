"""The life of a service within its process: the same for all.

`serve` opens the log, serves `/livez`, `/readyz` and `/metrics`, sends the heartbeat, and runs the
service's `main` until it returns. SIGTERM or SIGINT sets `Runtime.stopping`; `main` then has
`MAIN_SECONDS` to finish what is in hand. Whatever else ends `main` is raised.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final, TypeVar

import uvicorn
from starlette.applications import Starlette

from candlelog.clock import Clock, SystemClock
from candlelog.errors import CandlelogError
from candlelog.events.services import ServiceReportedV1
from candlelog.grace import ANSWERS_SECONDS, MAIN_SECONDS
from candlelog.handshakes import Handshakes
from candlelog.health import Health, health_app
from candlelog.log.kafka import KafkaLog
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.settings import ServiceSettings

HEARTBEAT_SECONDS: Final = 2.0
VERSION: Final = version("candlelog")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What `main` builds its adapters on."""

    service: str
    instance: str
    topic_prefix: str
    clock: Clock
    log: Log
    publisher: Publisher
    health: Health
    http: Starlette
    """Serves the health routes; mount further routes on it."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def topics(self, *names: str) -> list[str]:
        """Names on the broker of topics of the table."""
        return [self.topic_prefix + name for name in names]

    @property
    def group(self) -> str:
        """The consumer group of the service."""
        return self.topic_prefix + self.service


SettingsT = TypeVar("SettingsT", bound=ServiceSettings)
Main = Callable[[Runtime, SettingsT], Awaitable[None]]


async def serve(
    service: str, settings: SettingsT, main: Main[SettingsT], ending: Callable[[], None]
) -> None:
    """Run a service until it has ended. `ending` is called when it was told to, or a part of it
    has: from then on it has no more time than a supervisor would give it."""
    clock = SystemClock()
    log = KafkaLog(settings.kafka_bootstrap, compression=settings.compression)
    health = Health()
    async with log.producer() as producer:
        publisher = Publisher(
            producer, source=service, clock=clock, topic_prefix=settings.topic_prefix
        )
        runtime = Runtime(
            service=service,
            instance=settings.instance,
            topic_prefix=settings.topic_prefix,
            clock=clock,
            log=log,
            publisher=publisher,
            health=health,
            http=health_app(health),
        )
        server = _Server(
            uvicorn.Config(
                runtime.http,
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws=Handshakes,
                timeout_graceful_shutdown=ANSWERS_SECONDS,
            )
        )
        with _signals(runtime.stopping):
            await _until_done(runtime, main(runtime, settings), server, ending)


async def _until_done(
    runtime: Runtime, main: Awaitable[None], server: "_Server", ending: Callable[[], None]
) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve())
        beating = group.create_task(_heartbeat(runtime))
        working = group.create_task(_work(runtime, main))
        told = group.create_task(runtime.stopping.wait())
        parts = {serving, beating, working}
        try:
            await asyncio.wait({told, *parts}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending()
        await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        beating.cancel()
        told.cancel()


async def _work(runtime: Runtime, main: Awaitable[None]) -> None:
    """`main`, with at most `MAIN_SECONDS` after it was told to stop. When this returns, or is
    cancelled because another part failed, `main` has ended: what it needs may be closed then."""
    working = asyncio.ensure_future(main)
    told = asyncio.create_task(runtime.stopping.wait())
    try:
        await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            await asyncio.wait({working}, timeout=MAIN_SECONDS)
    finally:
        told.cancel()
        working.cancel()
        await asyncio.wait({working})
    with suppress(asyncio.CancelledError):
        await working


async def _heartbeat(runtime: Runtime) -> None:
    started_at = runtime.clock.now()
    while True:
        unwell = await runtime.health.unwell()
        detail = "; ".join(f"{name}: {reason}" for name, reason in sorted(unwell.items())) or None
        with suppress(CandlelogError):  # a heartbeat that cannot be sent is noticed by its absence
            await runtime.publisher.publish(
                ServiceReportedV1(
                    service=runtime.service,
                    instance=runtime.instance,
                    version=VERSION,
                    state="healthy" if detail is None else "degraded",
                    detail=detail,
                    lag=runtime.health.lag,
                    interval_seconds=HEARTBEAT_SECONDS,
                    started_at=started_at,
                    reported_at=runtime.clock.now(),
                )
            )
        await asyncio.sleep(HEARTBEAT_SECONDS)


@contextmanager
def _signals(stopping: asyncio.Event) -> Generator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    yield


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: stopping is the runtime's to order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `serve`."""
        yield
