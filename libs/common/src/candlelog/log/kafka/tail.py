"""Reading without a group."""

from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from candlelog.clock import Clock
from candlelog.log.kafka.errors import mapped
from candlelog.log.kafka.reader import Reader
from candlelog.log.ports import Start
from candlelog.log.types import AT_ONCE, Partition, Record


class KafkaTail:
    """`Tail` on aiokafka; `asker` is a second client, which reads nothing."""

    def __init__(self, client: AIOKafkaConsumer, asker: AIOKafkaConsumer, clock: Clock) -> None:
        self._client = client
        self._reader = Reader(client, clock, AT_ONCE, asker=asker)

    async def seek(self, start: Start, only: Partition | None) -> None:
        """Take all partitions of the topics for good, or one, and begin at `start`."""
        partitions = sorted(self._client.assignment() if only is None else {TopicPartition(*only)})
        # By subscription a topic that is missing from one answer of the broker would lose its
        # positions; partitions assigned by hand keep theirs.
        self._client.unsubscribe()
        self._client.assign(partitions)
        for partition, offset in (await self._offsets(partitions, start)).items():
            self._client.seek(partition, offset)

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records."""
        return await self._reader.poll(max_records, timeout)

    async def end(self) -> Mapping[Partition, int]:
        """The end positions now."""
        return await self._reader.ends()

    async def positions(self) -> Mapping[Partition, int]:
        """The next offset to read, of every partition."""
        return await self._reader.positions()

    async def _offsets(
        self, partitions: Sequence[TopicPartition], start: Start
    ) -> Mapping[TopicPartition, int]:
        with mapped("asking where the log begins"):
            if start == "end":
                return await self._client.end_offsets(partitions)
            first = await self._client.beginning_offsets(partitions)
        named = {} if start == "beginning" else start
        return {
            partition: named.get(Partition(*partition), first[partition])
            for partition in partitions
        }
