"""Starts stages of processes one after the other, keeps all running, stops them in reverse."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass

from candlelog_embedded.process import ProcessSpec
from candlelog_embedded.supervisor.child import Child, ChildFailedError
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.state import SystemReport, this_process, write_report

_START_SECONDS = 240.0


async def _nothing() -> None:
    """Nothing follows a stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Processes that start together. `then` runs when all are ready, before the next stage.

    At stop they are asked together, and killed after `grace_seconds`.
    """

    processes: tuple[ProcessSpec, ...]
    grace_seconds: float
    then: Callable[[], Awaitable[None]] = _nothing


class Supervisor:
    """The processes of one data directory; `note` hears a sentence for each that dies."""

    def __init__(
        self, directory: DataDirectory, stages: Sequence[Stage], note: Callable[[str], None]
    ) -> None:
        self.stopping = asyncio.Event()
        self._directory = directory
        self._stages = [(stage, self._children(stage, note)) for stage in stages]
        self._lives: dict[Child, asyncio.Task[None]] = {}
        self._failure: BaseException | None = None
        self._me = this_process()

    async def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call `ready`, and go on until `stopping` is set; leaves no process.

        Raises ChildFailedError when a process cannot be started.
        """
        self._directory.make()
        self._report()
        try:
            for stage, children in self._stages:
                await self._unless_stopping(self._start(stage, children))
            if not self.stopping.is_set():
                ready()
                await self.stopping.wait()
        finally:
            await self._stop()
        if self._failure is not None:
            raise self._failure

    async def _start(self, stage: Stage, children: Sequence[Child]) -> None:
        for child in children:
            life = asyncio.create_task(child.run())
            life.add_done_callback(self._life_ended)
            self._lives[child] = life
        try:
            async with asyncio.timeout(_START_SECONDS):
                for child in children:
                    await child.ready.wait()
                await stage.then()
        except TimeoutError:
            waited_for = [child.spec.name for child in children if not child.ready.is_set()]
            raise ChildFailedError(
                f"not ready after {_START_SECONDS:g} s: {', '.join(waited_for) or 'topics'};"
                f" see {self._directory.logs}"
            ) from None

    async def _unless_stopping(self, work: Coroutine[None, None, None]) -> None:
        """Work to the end, or to the moment in which everything has to stop."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self.stopping.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if working.done():
            working.result()
        working.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)

    def _life_ended(self, life: asyncio.Task[None]) -> None:
        if not life.cancelled() and life.exception() is not None:
            self._failure = self._failure or life.exception()
            self.stopping.set()

    async def _stop(self) -> None:
        self.stopping.set()
        for stage, children in reversed(self._stages):
            started = [child for child in children if child in self._lives]
            await asyncio.gather(*(child.stop(stage.grace_seconds) for child in started))
        await asyncio.gather(*self._lives.values(), return_exceptions=True)

    def _children(self, stage: Stage, note: Callable[[str], None]) -> list[Child]:
        return [
            Child(spec, self._directory.log_of(spec.name), changed=self._report, note=note)
            for spec in stage.processes
        ]

    def _report(self) -> None:
        children = [child for _, children in self._stages for child in children]
        report = SystemReport(
            supervisor=self._me,
            processes=tuple(child.report for child in children),
            alive=tuple(child.running for child in children if child.running is not None),
        )
        # On a full disk `ps` lags behind; the processes matter more.
        with suppress(OSError):
            write_report(self._directory, report)
