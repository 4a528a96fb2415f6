"""Reading with an aiokafka consumer, whether it is in a group or not."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from candlelog.clock import Clock
from candlelog.errors import Fatal
from candlelog.log.kafka.errors import mapped
from candlelog.log.kafka.watchdog import Watchdog
from candlelog.log.types import Fetch, Partition, Record

_ANSWER_SECONDS: Final = 5.0
_REBALANCE_SLACK_SECONDS: Final = 0.1
_IDLE_SECONDS: Final = 1.0


class Reader:
    """Polls, and ends the process when its client goes silent while there is more to read.

    `client` asks for records as `fetch` says, `asker` where the log ends: the same one, unless that
    must not wait for the answer that the broker keeps back, since it answers a connection in order.
    """

    def __init__(
        self,
        client: AIOKafkaConsumer,
        clock: Clock,
        fetch: Fetch,
        *,
        asker: AIOKafkaConsumer | None = None,
    ) -> None:
        self._client = client
        self._asker = asker or client
        self._clock = clock
        self._fetch = fetch
        self._fed_at = clock.monotonic()
        self._watchdog = Watchdog(clock.monotonic())

    async def poll(self, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """New records; between their leaving the client and the return nothing else can run.

        So a rebalance finds them either not taken or in the hands of the caller.
        """
        batches: Mapping[TopicPartition, Sequence[ConsumerRecord[bytes, bytes]]] = {}
        self._keep_back(self._clock.monotonic())  # partitions may have come since, or gone
        try:
            # getmany waits for the end of a rebalance without a bound of its own
            async with asyncio.timeout(timeout + _REBALANCE_SLACK_SECONDS):
                with mapped("reading the log"):
                    batches = await self._client.getmany(
                        timeout_ms=int(timeout * 1000), max_records=max_records
                    )
        except TimeoutError:
            pass
        now = self._clock.monotonic()
        if not batches:
            await self._watch()
            return ()
        self._fed_at = now
        # Before aiokafka asks for more: it does so after those who wait for records were woken.
        self._keep_back(now)
        self._watchdog.fed(now)
        return [_record(message) for messages in batches.values() for message in messages]

    async def ends(self) -> Mapping[Partition, int]:
        """End positions of what is assigned, asked of the broker; committed records only."""
        held = list(self._client.assignment())
        if not held:
            return {}
        with mapped("asking for the end of the log"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                found = await self._asker.end_offsets(held)
        return {Partition(*partition): end for partition, end in found.items()}

    async def positions(self) -> Mapping[Partition, int]:
        """The next offset to read, of every partition assigned."""
        with mapped("asking for the position"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return {
                    Partition(*partition): await self._client.position(partition)
                    for partition in self._client.assignment()
                }

    def _keep_back(self, now: float) -> None:
        """Say for how long the broker may keep an answer back while it has nothing: long where
        nothing else waits for the answer, since there was nothing for a while, or since records of
        any size are wanted of one partition alone.
        """
        alone = self._fetch.least_bytes == 1 and len(self._client.assignment()) == 1
        long = alone or now - self._fed_at >= _IDLE_SECONDS
        # No part of aiokafka's interface, but read anew for each request.
        self._client._fetcher._fetch_max_wait_ms = (  # pyright: ignore
            self._fetch.idle_ms if long else self._fetch.wait_ms
        )

    async def _watch(self) -> None:
        if not self._watchdog.due(self._clock.monotonic()):
            return
        ends = await self.ends()
        positions = await self.positions()
        behind = any(positions.get(partition, end) < end for partition, end in ends.items())
        if self._watchdog.starving(self._clock.monotonic(), behind=behind):
            raise Fatal("the client of the log has gone silent although there is more to read")


def _record(message: ConsumerRecord[bytes, bytes]) -> Record:
    return Record(
        partition=Partition(message.topic, message.partition),
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((name, value or b"") for name, value in message.headers),
        appended_at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
    )
