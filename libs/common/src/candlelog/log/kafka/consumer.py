"""A member of a consumer group."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError

from candlelog.clock import Clock
from candlelog.log.kafka.errors import mapped
from candlelog.log.kafka.reader import Reader
from candlelog.log.ports import Release
from candlelog.log.types import Fetch, Partition, Record
from candlelog.telemetry import CONSUMER_LAG

_COMMIT_SECONDS: Final = 4.0
_LOGGER: Final = structlog.get_logger()


class KafkaConsumer:
    """`Consumer` on aiokafka, whose rebalance takes away all partitions (eager)."""

    def __init__(self, client: AIOKafkaConsumer, clock: Clock, fetch: Fetch) -> None:
        self._client = client
        self._reader = Reader(client, clock, fetch)
        self._release: Release | None = None
        self._handled: dict[Partition, int] = {}

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends, as far as answers have told."""
        return sum(self._behind(partition) for partition in self._handled)

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records."""
        records = await self._reader.poll(max_records, timeout)
        for record in records:
            self._handled.setdefault(record.partition, record.offset)
        return records

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Store the positions of the partitions still held."""
        held = self._client.assignment()
        offsets = {
            TopicPartition(*partition): position
            for partition, position in positions.items()
            if partition in held
        }
        if not offsets:
            return
        with mapped("committing"):
            try:
                async with asyncio.timeout(_COMMIT_SECONDS):
                    await self._client.commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                _LOGGER.info("commit_dropped", reason=type(error).__name__)
                return
        self._handled.update({Partition(*partition): at for partition, at in offsets.items()})
        self._report_lag()

    def before_revoke(self, release: Release) -> None:
        """Have `release` called before partitions are taken away."""
        self._release = release

    async def release(self) -> None:
        """The partitions are about to be taken away."""
        if self._release is not None:
            await self._release()
        for topic, number in self._handled:
            CONSUMER_LAG.labels(topic, number).set(0)
        self._handled.clear()

    def _behind(self, partition: Partition) -> int:
        held = TopicPartition(*partition)
        if held not in self._client.assignment():
            return 0
        end = self._client.highwater(held)
        return 0 if end is None else max(0, end - self._handled[partition])

    def _report_lag(self) -> None:
        for partition in self._handled:
            CONSUMER_LAG.labels(*partition).set(self._behind(partition))


class RebalanceListener(ConsumerRebalanceListener):
    """Passes aiokafka's news on to the consumer, which is made after its client."""

    def __init__(self) -> None:
        self.consumer: KafkaConsumer | None = None

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] -- aiokafka awaits what it is given
        self, revoked: Iterable[TopicPartition]
    ) -> None:
        """Awaited before the group is joined again."""
        if self.consumer is not None and revoked:
            await self.consumer.release()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] -- aiokafka awaits what it is given
        self, assigned: Iterable[TopicPartition]
    ) -> None:
        """New partitions need nothing done: their records say where they begin."""
