"""Whether a chunk may still be worked on: the latest word of its job's coordinator."""

import asyncio
import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal, NamedTuple
from uuid import UUID

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.events.codec import Message
from candlelog.events.jobs import JobControlV1
from candlelog.events.topics import JOBS_CONTROL
from candlelog.log.following import Follower
from candlelog.log.ports import Log
from candlelog.log.types import Record

FRESH_SECONDS: Final = 0.5
"""A reading of `jobs.control` older than this is not relied on."""
Stopped = Literal["for good", "for now"]
_CONFIRM_SECONDS: Final = 0.2
_KEPT_SECONDS: Final = (
    math.inf if JOBS_CONTROL.retention_ms is None else JOBS_CONTROL.retention_ms / 1000
)
"""A word heard so long ago the log has lost, too: no request of that time is left to be asked."""


class _Word(NamedTuple):
    generation: int
    state: str
    stopped: frozenset[UUID]
    heard_at: float


class Control:
    """Follows `jobs.control`; the highest generation of a job wins, and the last word of it."""

    def __init__(self, log: Log, topic: str, *, clock: Clock) -> None:
        self._clock = clock
        self._states: dict[UUID, _Word] = {}
        """By when they were heard, the oldest first."""
        self._follower = Follower(log, topic, "beginning", self._take, clock=clock)
        self._complete_at = float("-inf")
        self._confirmed = asyncio.Event()
        self._users = 0
        self._in_use = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow, and ask again and again whether everything was read while that is of use."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follower.run(stopping))
            confirming = group.create_task(self._confirm())
            await stopping.wait()
            confirming.cancel()

    async def fresh(self, since: float = float("-inf")) -> None:
        """Wait until the reading is complete, at most `FRESH_SECONDS` old, and holds what was
        written before `since` on the monotonic clock."""
        with self.in_use():
            while not (self.is_fresh and self.holds(since)):
                self._confirmed.clear()
                await self._confirmed.wait()

    @contextmanager
    def in_use(self) -> Generator[None]:
        """Keep the reading fresh for as long as the block lasts."""
        self._users += 1
        self._in_use.set()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._in_use.clear()

    def holds(self, since: float) -> bool:
        """Whether everything written before `since` was read."""
        return self._complete_at >= since

    @property
    def is_fresh(self) -> bool:
        """Whether everything written up to `FRESH_SECONDS` ago was read."""
        return self._clock.monotonic() - self._complete_at <= FRESH_SECONDS

    def stopped(self, job_id: UUID, task_id: UUID, generation: int) -> Stopped | None:
        """Whether chunks of this task, and of this generation of the job, are not to be worked on.

        A job that goes on does so in its next generation, a task in the same.
        """
        state = self._states.get(job_id)
        if state is None or state.generation < generation:
            return None
        if state.generation > generation or state.state != "running":
            return "for good"
        return "for now" if task_id in state.stopped else None

    def _take(self, event: Message, record: Record) -> None:
        del record
        if not isinstance(event, JobControlV1):
            return
        now = self._clock.monotonic()  # of the log's times one from a wrong clock may be among them
        known = self._states.pop(event.job_id, None)
        if known is None or event.generation >= known.generation:
            known = _Word(event.generation, event.state, frozenset(event.stopped), now)
        self._states[event.job_id] = known._replace(heard_at=now)
        while self._states[oldest := next(iter(self._states))].heard_at < now - _KEPT_SECONDS:
            del self._states[oldest]

    async def _confirm(self) -> None:
        while True:
            await self._in_use.wait()
            try:
                self._complete_at = await self._follower.caught_up()
                self._confirmed.set()
            except Unavailable:
                pass  # the follower reports the outage; until it is over nothing is fresh
            await asyncio.sleep(_CONFIRM_SECONDS)
