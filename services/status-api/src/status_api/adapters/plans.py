"""Plans: asked of the coordinator, and read from the log as it answers; nothing is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from candlelog.events.jobs import PlanJobV1
from candlelog.events.progress import PlanAnsweredV1, PlanTaskAnsweredV1
from candlelog.events.topics import PROGRESS
from candlelog.log.partitioner import partition_of
from candlelog.log.ports import Log
from candlelog.log.publish import Publisher
from candlelog.log.receive import read_or_log
from candlelog.log.types import Partition

_BATCH = 2_000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What the coordinator says a job would do."""

    tasks: Sequence[PlanTaskAnsweredV1]
    total: PlanAnsweredV1


class Plans:
    """Asks for plans. The answers stand in one partition, behind where it ended before."""

    def __init__(self, log: Log, publisher: Publisher) -> None:
        self._log = log
        self._publisher = publisher

    async def ask(self, wanted: PlanJobV1) -> Plan:
        """The plan, once all of it was said. May raise `Unavailable`."""
        key = wanted.key.encode()
        topic = PROGRESS.full_name(self._publisher.topic_prefix)
        partition = Partition(topic, partition_of(key, PROGRESS.partitions))
        tasks: list[PlanTaskAnsweredV1] = []
        async with self._log.tail([topic], start="end", only=partition) as tail:
            await self._publisher.publish(wanted)
            while True:
                for record in await tail.poll(max_records=_BATCH, timeout=_POLL_SECONDS):
                    event = read_or_log(record) if record.key == key else None
                    if isinstance(event, PlanTaskAnsweredV1):
                        tasks.append(event)
                    elif isinstance(event, PlanAnsweredV1):
                        return Plan(tasks, event)
