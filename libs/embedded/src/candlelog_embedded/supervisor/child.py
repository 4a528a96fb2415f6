"""One process that is kept running."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from candlelog.errors import CandlelogError
from candlelog_embedded.process import ProcessSpec
from candlelog_embedded.supervisor.ending import kill_with_children, signal_process
from candlelog_embedded.supervisor.logs import last_lines, set_aside_when_large
from candlelog_embedded.supervisor.state import ProcessReport, Running, State, running

_PROBE_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Restarts:
    """How a dead process is started again: after `first_seconds`, then twice as long each time.

    A process that was ready for `steady_seconds` begins anew. One that never was ready is given up
    after `attempts_at_start` starts: then something is wrong that waiting does not mend.
    """

    first_seconds: float = 0.2
    longest_seconds: float = 5.0
    steady_seconds: float = 10.0
    attempts_at_start: int = 4

    def delay(self, failures: int) -> float:
        """Seconds to wait after the nth failure in a row."""
        return min(self.longest_seconds, self.first_seconds * 2 ** min(failures - 1, 10))


class ChildFailedError(CandlelogError):
    """A process could not be started; the text ends with the last lines of its log."""


class Child:
    """A process of a spec, its log, and its restarts. `ready` is set when it first was ready.

    `changed` is called after every change of `report`, `note` with a sentence for each failure.
    """

    def __init__(
        self,
        spec: ProcessSpec,
        log: Path,
        *,
        changed: Callable[[], None],
        note: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self.running: Running | None = None
        self.ready = asyncio.Event()
        self._log = log
        self._changed = changed
        self._note = note
        self._policy = Restarts()
        self._state = State.WAITING
        self._restarts = 0
        self._failures = 0
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()

    @property
    def report(self) -> ProcessReport:
        """How it stands now."""
        pid = self.running.pid if self.running else None
        return ProcessReport(self.spec.service, self.spec.replica, pid, self._state, self._restarts)

    async def run(self) -> None:
        """Keep it running until `stop`; raises ChildFailedError when it never becomes ready."""
        try:
            while not self._stopping.is_set():
                await self._live_once()
                if not self._stopping.is_set():
                    await self._wait_for_next_start()
        finally:
            self._ended.set()
            self._become(State.STOPPED)

    async def stop(self, grace_seconds: float) -> None:
        """Ask it to end; after the grace it is killed, with what it started. Idempotent."""
        self._stopping.set()
        self._ask_to_end()
        try:
            await asyncio.wait_for(self._ended.wait(), grace_seconds)
        except TimeoutError:
            self._kill()
            await self._ended.wait()

    async def _live_once(self) -> None:
        try:
            await asyncio.to_thread(self.spec.prepare)
        except (CandlelogError, OSError) as error:
            self._note_failure(f"{self.spec.name} cannot be started: {error}")
            return
        if self._stopping.is_set():
            return
        set_aside_when_large(self._log)
        with self._log.open("ab") as log:
            process = await self._spawn(log)
        self.running = _born(process.pid)
        self._become(State.STARTING)
        if self._stopping.is_set():
            self._ask_to_end()
        watching = asyncio.create_task(self._watch_for_readiness())
        exit_code = await process.wait()
        watching.cancel()
        self.running = None
        if not self._stopping.is_set():
            self._note_failure(f"{self.spec.name} ended with exit code {exit_code}")

    async def _spawn(self, log: IO[bytes]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.spec.leashed_command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | dict(self.spec.environment),
            # Ctrl-C goes to a whole group of processes: it must reach the supervisor alone, which
            # then ends the others in order.
            start_new_session=True,
        )

    async def _watch_for_readiness(self) -> None:
        while not await asyncio.to_thread(self.spec.ready):  # noqa: ASYNC110 -- another process has no event to wait for
            await asyncio.sleep(_PROBE_EVERY_SECONDS)
        self._become(State.READY)
        self.ready.set()
        await asyncio.sleep(self._policy.steady_seconds)
        self._failures = 0

    def _note_failure(self, failure: str) -> None:
        self._failures += 1
        if self.ready.is_set() or self._failures < self._policy.attempts_at_start:
            self._note(failure)
            return
        raise ChildFailedError("\n".join([failure, *last_lines(self._log)]))

    async def _wait_for_next_start(self) -> None:
        self._become(State.WAITING)
        delay = self._policy.delay(self._failures)
        try:
            await asyncio.wait_for(self._stopping.wait(), delay)
        except TimeoutError:
            self._restarts += 1

    def _become(self, state: State) -> None:
        self._state = state
        self._changed()

    def _ask_to_end(self) -> None:
        process = self.running.process() if self.running else None
        if process is not None:
            self._become(State.STOPPING)
            signal_process(process, self.spec.stop_signal)

    def _kill(self) -> None:
        process = self.running.process() if self.running else None
        if process is not None:
            kill_with_children(process)


def _born(pid: int) -> Running:
    try:
        return running(psutil.Process(pid))
    except psutil.NoSuchProcess:
        # It ended at once; its exit code is about to be seen.
        return Running(pid, 0.0)
