"""Appending to the log."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import RecordMetadata

from candlelog.errors import Fatal, Fenced, Unavailable
from candlelog.log.kafka.client import start, stop
from candlelog.log.kafka.errors import mapped
from candlelog.log.types import Outgoing

_SEND_SECONDS: Final = 10.0
_ABORT_SECONDS: Final = 2.0


class KafkaProducer:
    """`Producer` on aiokafka: acks from all replicas, idempotent.

    With idempotence a send to a broker that is away never fails by itself, hence the time limit.
    Its records stay queued, at most one batch a partition, and are appended when the broker is
    back. A client that has died (its sequence numbers no longer match the broker's) is replaced.
    """

    def __init__(self, make: Callable[[], AIOKafkaProducer]) -> None:
        self._make = make
        self._client = make()
        self._replacing = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        await start(self._client)

    async def stop(self) -> None:
        """Flush and disconnect."""
        await stop(self._client)

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append and return the offsets."""
        client = self._client
        try:
            with mapped("appending to the log"):
                async with asyncio.timeout(_SEND_SECONDS):
                    return await _append(client, messages)
        except (Fatal, Fenced) as error:
            await self._replace(client)
            raise Unavailable(str(error)) from error

    async def _replace(self, dead: AIOKafkaProducer) -> None:
        async with self._replacing:
            if self._client is not dead:
                return
            await stop(dead)
            fresh = self._make()
            try:
                await start(fresh)
            except BaseException:
                await stop(fresh)
                raise
            self._client = fresh


class KafkaTransactionalProducer:
    """`TransactionalProducer` on aiokafka."""

    def __init__(self, client: AIOKafkaProducer) -> None:
        self._client = client
        self._in_doubt = False

    async def send_atomically(self, messages: Sequence[Outgoing]) -> Sequence[int]:
        """Append all or nothing and return the offsets."""
        if self._in_doubt:
            raise Unavailable("the last transaction is in doubt: open another producer")
        self._in_doubt = True
        try:
            with mapped("appending in a transaction"):
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._client.begin_transaction()
                    offsets = await _append(self._client, messages)
                    await self._client.commit_transaction()
        except Fatal as error:
            await self._abort()
            raise Unavailable(str(error)) from error
        except BaseException:
            await self._abort()
            raise
        self._in_doubt = False
        return offsets

    async def _abort(self) -> None:
        """Let readers pass at once; failing that, the broker's own time limit does."""
        with suppress(KafkaError, TimeoutError, AssertionError):
            async with asyncio.timeout(_ABORT_SECONDS):
                await self._client.abort_transaction()


async def _append(client: AIOKafkaProducer, messages: Sequence[Outgoing]) -> list[int]:
    futures: list[asyncio.Future[RecordMetadata]] = []
    try:
        for message in messages:
            futures.append(  # noqa: PERF401 -- those queued before a failure are in the list too
                await client.send(
                    message.topic, message.value, key=message.key, headers=list(message.headers)
                )
            )
        return [metadata.offset for metadata in await asyncio.gather(*futures)]
    finally:
        for future in futures:  # nobody waits for them any more
            future.cancel()
