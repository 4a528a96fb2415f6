"""Following one job over the live feed, across lost connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from candlelog_client.errors import ServerProblem, Unreachable
from candlelog_client.results import Job
from candlelog_client.streams import Feed


@dataclass(frozen=True, slots=True)
class Reconnect:
    """How long a silent feed is tried again: full jitter, doubling up to `longest` seconds."""

    attempts: int = 10
    first: float = 0.2
    longest: float = 10.0
    random: Random = field(default_factory=Random)

    def delay(self, attempt: int) -> float | None:
        """Seconds to wait before attempt 1, 2, …; None when enough was tried."""
        if attempt > self.attempts:
            return None
        return self.random.uniform(0, min(self.longest, self.first * 2**attempt))


class Watch:
    """One following of one job: how far the feed was read, and the newest state."""

    def __init__(self, feed: Feed, job_id: str, reconnect: Reconnect) -> None:
        self._feed = feed
        self._job_id = job_id
        self._reconnect = reconnect
        self._cursor: str | None = None
        self._silent = 0

    async def states(self, read: Callable[[str], Awaitable[Job]]) -> AsyncIterator[Job]:
        """The job now (through `read`) and at every change, until it has ended."""
        job = await read(self._job_id)
        yield job
        while not job.finished:
            try:
                async with self._feed.open(self._job_id, self._cursor) as messages:
                    async for message in messages:
                        self._silent = 0
                        self._cursor = message["cursor"]
                        for state in message["jobs"]:
                            job = apply(job, Job.model_validate(state))
                            yield job
                        if job.finished:
                            return
                await self._wait(Unreachable("the live feed ended again and again"))
            except (Unreachable, ServerProblem) as lost:
                await self._wait(lost)

    async def _wait(self, lost: Unreachable | ServerProblem) -> None:
        self._silent += 1
        delay = self._reconnect.delay(self._silent)
        if delay is None:
            raise lost
        await asyncio.sleep(delay)


def apply(job: Job, newer: Job) -> Job:
    """`newer`, with what a delta leaves out (unchanged tasks, symbols, timeframes) from `job`."""
    tasks = {task.id: task for task in (*job.tasks, *newer.tasks)}
    kept = {
        "symbols": newer.symbols or job.symbols,
        "timeframes": newer.timeframes or job.timeframes,
        "tasks": tuple(tasks.values()),
    }
    return newer.model_copy(update=kept)
