"""Opens readers and writers on a broker."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, overload

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from candlelog.clock import Clock, SystemClock
from candlelog.events.topics import MAX_DEAD_LETTER_BYTES
from candlelog.log.compression import Compression
from candlelog.log.kafka.client import running
from candlelog.log.kafka.consumer import KafkaConsumer, RebalanceListener
from candlelog.log.kafka.producer import KafkaProducer, KafkaTransactionalProducer
from candlelog.log.kafka.tail import KafkaTail
from candlelog.log.ports import Producer, Start, TransactionalProducer
from candlelog.log.types import AT_ONCE, Fetch, Partition

SESSION_MS: Final = 6_000
"""The least a broker allows: until it is over, a rebalance waits for a member that was killed."""

REBALANCE_MS: Final = 20_000
"""How long a rebalance waits for members to let go; more than the consume loop takes."""

_HELD_MS: Final = 24 * 3_600_000
"""A partition may be held through an outage of a store for this long without a poll."""

_PARTITION_BYTES: Final = 1024 * 1024
"""Of one partition in one answer; a larger record comes alone."""

_REQUEST_MS: Final = 10_000
_TRANSACTION_MS: Final = 10_000
_BATCH_BYTES: Final = 512 * 1024
_LINGER_MS: Final = 2


class KafkaLog:
    """`Log` on the broker at `bootstrap` (`host:port`, several with commas).

    `compression` is that of the records it writes; None where most of them come compressed.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        clock: Clock | None = None,
        compression: Compression = "zstd",
    ) -> None:
        self._bootstrap = bootstrap
        self._clock = clock or SystemClock()
        self._compression = compression

    @asynccontextmanager
    async def consumer(
        self, topics: Sequence[str], group: str, *, fetch: Fetch = AT_ONCE
    ) -> AsyncGenerator[KafkaConsumer]:
        """Join `group`; returns once partitions were assigned."""
        client = self._reader(group, fetch)
        listener = RebalanceListener()
        client.subscribe(list(topics), listener=listener)
        async with running(client):
            listener.consumer = KafkaConsumer(client, self._clock, fetch)
            yield listener.consumer

    @overload
    def producer(
        self, *, transactional_id: None = None
    ) -> AbstractAsyncContextManager[Producer]: ...

    @overload
    def producer(
        self, *, transactional_id: str
    ) -> AbstractAsyncContextManager[TransactionalProducer]: ...

    def producer(
        self, *, transactional_id: str | None = None
    ) -> AbstractAsyncContextManager[Producer] | AbstractAsyncContextManager[TransactionalProducer]:
        """Connect a producer; with a transactional id, fence the one before it."""
        if transactional_id is None:
            return self._plain()
        return self._transactional(transactional_id)

    @asynccontextmanager
    async def tail(
        self, topics: Sequence[str], *, start: Start, only: Partition | None = None
    ) -> AsyncGenerator[KafkaTail]:
        """Read `topics` from `start`, or one partition of them."""
        client = self._reader(None, AT_ONCE)
        client.subscribe(list(topics))
        async with running(client), running(self._reader(None, AT_ONCE)) as asker:
            tail = KafkaTail(client, asker, self._clock)
            await tail.seek(start, only)
            yield tail

    @asynccontextmanager
    async def _plain(self) -> AsyncGenerator[KafkaProducer]:
        producer = KafkaProducer(self._writer)
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()

    @asynccontextmanager
    async def _transactional(self, name: str) -> AsyncGenerator[KafkaTransactionalProducer]:
        async with running(self._writer(name)) as client:
            yield KafkaTransactionalProducer(client)

    def _reader(self, group: str | None, fetch: Fetch) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            fetch_min_bytes=fetch.least_bytes,
            fetch_max_wait_ms=fetch.wait_ms,
            max_partition_fetch_bytes=max(_PARTITION_BYTES, fetch.least_bytes),
            request_timeout_ms=REBALANCE_MS + _REQUEST_MS,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 4,
            rebalance_timeout_ms=REBALANCE_MS,
            max_poll_interval_ms=_HELD_MS,
        )

    def _writer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type=self._compression,
            linger_ms=_LINGER_MS,
            max_batch_size=_BATCH_BYTES,
            max_request_size=MAX_DEAD_LETTER_BYTES,
            request_timeout_ms=_REQUEST_MS,
            transactional_id=transactional_id,
            transaction_timeout_ms=_TRANSACTION_MS,
        )
