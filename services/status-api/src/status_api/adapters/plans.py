"""Plans: asked of the coordinator, and read from the log as it answers; nothing is kept."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from candlelog.errors import CandlelogError
from candlelog.events.jobs import PlanJobV1
from candlelog.events.progress import PlanAnsweredV1, PlanTaskAnsweredV1
from candlelog.events.topics import PROGRESS
from candlelog.log.partitioner import partition_of
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.log.receive import read_or_log
from candlelog.log.types import Partition

_BATCH: Final = 2_000
_POLL_SECONDS: Final = 0.5
_AT_ONCE: Final = 4
"""Plans that a replica asks for side by side: each has a reader of its own."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the coordinator says a job would do."""

    tasks: Collection[PlanTaskAnsweredV1]
    total: PlanAnsweredV1


class TooManyPlansError(CandlelogError):
    """As many plans are asked for as may be side by side."""


class Plans:
    """Asks for plans. The answers stand in one partition, behind where it ended before."""

    def __init__(self, log: Log, publisher: Publisher) -> None:
        self._log = log
        self._publisher = publisher
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, wanted: PlanJobV1) -> Plan:
        """The plan, once all of it was said. Raises `TooManyPlansError` where this replica asks
        for as many as it may, and `Unavailable`."""
        if self._room.locked():
            raise TooManyPlansError
        async with self._room:
            return await self._ask(wanted)

    async def _ask(self, wanted: PlanJobV1) -> Plan:
        key = wanted.key.encode()
        topic = PROGRESS.full_name(self._publisher.topic_prefix)
        partition = Partition(topic, partition_of(key, PROGRESS.partitions))
        tasks: dict[tuple[str, str], PlanTaskAnsweredV1] = {}
        async with self._log.tail([topic], start="end", only=partition) as tail:
            await self._publisher.publish(wanted)
            while True:
                for record in await tail.poll(max_records=_BATCH, timeout=_POLL_SECONDS):
                    event = read_or_log(record) if record.key == key else None
                    if isinstance(event, PlanTaskAnsweredV1):
                        tasks[event.symbol, event.timeframe] = event  # may be said twice
                    elif isinstance(event, PlanAnsweredV1):
                        return Plan(tasks.values(), event)
