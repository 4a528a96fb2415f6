"""How a process ends."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from candlelog import lifecycle
from candlelog.clock import ManualClock
from candlelog.health import Health, health_app
from candlelog.lifecycle import Runtime
from candlelog.log.memory import MemoryLog
from candlelog.log.publish import Publisher
from candlelog.settings import ServiceSettings

SETTINGS = ServiceSettings(CANDLELOG_KAFKA_BOOTSTRAP="nowhere:1")


class Server:
    """Serves nobody until it is told to stop, or breaks."""

    def __init__(self, *, broken: bool = False) -> None:
        self.should_exit = False
        self._broken = broken

    async def serve(self) -> None:
        while not self.should_exit:
            await asyncio.sleep(0.01)
            if self._broken:
                raise OSError("the port is taken")


async def lived(
    main: Callable[..., Any],
    *,
    lag: Callable[[], int] = lambda: 0,
    server: Any = None,
    stop: bool = False,
) -> None:
    """The life of a process over a log in memory; `stop` has it told to stop at once."""
    log, clock, health = MemoryLog(), ManualClock(datetime(2024, 3, 1, tzinfo=UTC)), Health()
    health.watch_lag(lag)
    async with log.producer() as producer:
        runtime = Runtime(
            service="example",
            instance="one",
            topic_prefix="candlelog.",
            clock=clock,
            log=log,
            publisher=Publisher(producer, source="test", clock=clock, topic_prefix="candlelog."),
            health=health,
            http=health_app(health),
        )
        if stop:
            runtime.stopping.set()
        work = main(runtime, SETTINGS)
        await lifecycle._until_done(runtime, work, server or Server(), lambda: None)


class Draining:
    """A service that has something in hand when it is cancelled."""

    def __init__(self) -> None:
        self.drained = False

    async def main(self, runtime: Runtime, _: ServiceSettings) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)
            self.drained = True


def broken_lag() -> int:
    raise RuntimeError("nobody knows")


@pytest.mark.parametrize(
    ("options", "error"),
    [({"lag": broken_lag}, RuntimeError), ({"server": Server(broken=True)}, OSError)],
)
async def test_what_is_in_hand_is_let_go_before_the_log_is_closed_whatever_fails(
    options: dict[str, Any], error: type[Exception]
):
    service = Draining()
    with pytest.raises(ExceptionGroup) as caught:
        await lived(service.main, **options)
    assert service.drained
    assert [type(each) for each in caught.value.exceptions] == [error]


async def test_who_is_not_done_within_the_grace_is_cancelled_and_lets_go(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(lifecycle, "MAIN_SECONDS", 0.05)
    service = Draining()
    await lived(service.main, stop=True)
    assert service.drained


async def test_what_ends_the_service_ends_the_process():
    async def main(*_: Any) -> None:
        raise RuntimeError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        await lived(main)
    assert [str(each) for each in caught.value.exceptions] == ["a bug"]
