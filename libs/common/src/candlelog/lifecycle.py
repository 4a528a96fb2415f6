"""From settings to a running process and back: the same for every service.

`run` opens the log, serves `/livez`, `/readyz` and `/metrics`, sends the heartbeat, and runs the
service's `main` until it returns. SIGTERM or SIGINT sets `Runtime.stopping`; `main` then has
`MAIN_SECONDS` to finish what is in hand. Whatever else ends `main` ends the process with exit code
1, and whoever supervises it starts it again: nothing here tries to live on with a bug.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.metadata import version
from threading import Timer
from typing import Final, TypeVar

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette

from candlelog.clock import Clock, SystemClock
from candlelog.errors import CandlelogError, Misconfigured
from candlelog.events.services import ServiceReportedV1
from candlelog.grace import ANSWERS_SECONDS, LEFTOVERS_SECONDS, MAIN_SECONDS, PROCESS_SECONDS
from candlelog.handshakes import Handshakes
from candlelog.health import Health, health_app
from candlelog.log.kafka import KafkaLog
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.settings import ServiceSettings
from candlelog.telemetry import configure_logging

HEARTBEAT_SECONDS: Final = 2.0
VERSION: Final = version("candlelog")

_LOGGER: Final = structlog.get_logger()


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


def run(service: str, settings_class: type[SettingsT], main: Main[SettingsT]) -> None:
    """Run a service until it is told to stop; ends the process with its exit code."""
    try:
        settings = settings_class.load()
    except Misconfigured as error:
        sys.exit(f"{service}: {error}")
    configure_logging(service, settings.instance)
    sys.meta_path.insert(0, _WithoutPandas())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        exit_code = runner.run(_supervise(service, settings, main))
        _end_after(LEFTOVERS_SECONDS, exit_code)
    sys.exit(exit_code)


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


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas out of the services. pyarrow imports it, wherever it is installed, to ask
    whether a value is one of its own: a second of processor and 60 MB, and no service uses it."""

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse pandas, leave everything else to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError("services do without pandas", name=fullname)


async def _supervise(service: str, settings: SettingsT, main: Main[SettingsT]) -> int:
    exit_code = 0
    try:
        await _serve(service, settings, main)
    except* CandlelogError as errors:
        exit_code = 1
        for error in _leaves(errors):
            _LOGGER.error("service_ended", reason=str(error))
    except* Exception as errors:  # the one place that lets the process die
        exit_code = 1
        _LOGGER.error("service_crashed", exc_info=errors)
    return exit_code


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _serve(service: str, settings: SettingsT, main: Main[SettingsT]) -> None:
    clock = SystemClock()
    log = KafkaLog(settings.kafka_bootstrap)
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
            # What has begun to end has no more time than its supervisor would give it.
            ending = partial(_end_after, PROCESS_SECONDS, exit_code=1)
            await _until_done(runtime, main(runtime, settings), server, ending)


async def _until_done(
    runtime: Runtime, main: Awaitable[None], server: "_Server", ending: Callable[[], None]
) -> None:
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(server.serve())
        beating = group.create_task(_heartbeat(runtime))
        working = group.create_task(_work(runtime, main))
        try:
            await asyncio.wait({working, serving, beating}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ending()
        server.should_exit = True
        beating.cancel()


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
        failing = await runtime.health.failing()
        detail = "; ".join(f"{name}: {reason}" for name, reason in sorted(failing.items())) or None
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
        """Leave the signals to `run`."""
        yield
