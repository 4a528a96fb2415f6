"""Faust: reads the topics of the featurizer, and lets nothing be acknowledged that is not done.

Faust acknowledges an event whose agent raised, and every event that `take` has buffered when the
agent is cancelled. So events are taken without acknowledgement, acknowledged one by one once all
that follows from them is on the log, and nothing is ever raised inside the agent: a bug is handed
to `run`, which ends the process, and the agent waits for that.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import faust
from faust.contrib.asgi import faust_app_running

from candlelog.clock import Clock
from candlelog.errors import Fatal
from candlelog.grace import IN_HAND_SECONDS
from candlelog.log.handling import DroppedError, Handling
from candlelog.log.kafka.watchdog import Watchdog
from candlelog.log.types import Partition, Record

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Gathering:
    """Events that are worked on together: how many at most, and how long one waits for others."""

    most: int
    seconds: float


class FaustStream:
    """The topics as one stream of groups of records, in order within each partition."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Sequence[str],
        handling: Handling,
        *,
        clock: Clock,
        gathering: Gathering,
    ) -> None:
        self._handling = handling
        self._clock = clock
        self._gathering = gathering
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done: dict[Any, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._app = _app(bootstrap, group)
        source = self._app.topic(*topics, key_serializer="raw", value_serializer="raw")
        self._app.agent(source, name=f"{group}.agent")(self._work)
        self._app.on_partitions_revoked.connect(self._forget)

    @property
    def lag(self) -> int:
        """Records between what was done and the ends of the partitions worked on."""
        return sum(self._behind(partition) for partition in self._done)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; raises what the agent met otherwise, or `Fatal` when the
        stream has gone silent."""
        told = asyncio.create_task(stopping.wait())
        watching = asyncio.create_task(self._watch())
        try:
            async with faust_app_running(self._app):
                await asyncio.wait(
                    {told, watching, self._failed}, return_when=asyncio.FIRST_COMPLETED
                )
                await self._let_go()
        finally:
            told.cancel()
            watching.cancel()
        for ended in (self._failed, watching):
            if ended.done() and not ended.cancelled():
                ended.result()

    async def _work(self, stream: Any) -> None:
        async for events in stream.noack_take(self._gathering.most, self._gathering.seconds):
            if self._handling.letting_go.is_set():
                return
            self._idle.clear()
            try:
                found = await self._handling.finish([_record(event.message) for event in events])
            except DroppedError:
                self._idle.set()
                return
            except Exception as error:  # noqa: BLE001 -- handed to `run`, which raises it
                await self._give_up(error)
                return
            for event in events:
                await stream.ack(event)
                self._done[event.message.tp] = event.message.offset + 1
            self._idle.set()
            try:
                self._handling.count_rejects(found)
            except Fatal as error:
                await self._give_up(error)

    async def _let_go(self) -> None:
        """Take no more, and give what is in hand a while to be done."""
        self._handling.letting_go.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(IN_HAND_SECONDS):
                await self._idle.wait()

    async def _forget(self, *_: Any, **__: Any) -> None:
        """The partitions were taken away: how far they are done is another's to know."""
        self._done.clear()

    async def _give_up(self, error: Exception) -> None:
        """Have `run` raise it, and never return: what follows in the stream is not ours."""
        self._failed.set_exception(error)
        self._idle.set()
        await asyncio.Event().wait()

    async def _watch(self) -> None:
        """Raise `Fatal` when there is something to read and nothing comes."""
        watchdog, seen = Watchdog(self._clock.monotonic()), -1
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now, done = self._clock.monotonic(), sum(self._done.values())
            if not self._idle.is_set() or done != seen:  # whoever waits for the sink is not silent
                seen = done
                watchdog.fed(now)
            elif watchdog.due(now) and watchdog.starving(now, behind=self.lag > 0):
                raise Fatal("the stream has gone silent while there is something to read")

    def _behind(self, partition: Any) -> int:
        try:
            end = self._app.consumer.highwater(partition)
        except AssertionError:  # taken away in this moment
            return 0
        return 0 if end is None else max(0, end - self._done[partition])


def _app(bootstrap: str, group: str) -> Any:
    return faust.App(
        group,
        broker=[f"aiokafka://{address}" for address in bootstrap.split(",")],
        autodiscover=False,
        broker_commit_interval=1.0,
        broker_max_poll_records=500,
        broker_max_poll_interval=3600.0,
        consumer_auto_offset_reset="earliest",
        # A rebalance does not wait for a group that waits for the sink: its events come again.
        stream_wait_empty=False,
        stream_buffer_maxsize=512,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )


def _record(message: Any) -> Record:
    return Record(
        partition=Partition(message.topic, message.partition),
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(_headers(message.headers)),
        appended_at=datetime.fromtimestamp(message.timestamp, UTC),
    )


def _headers(headers: Any) -> Sequence[tuple[str, bytes]]:
    return tuple(headers.items()) if isinstance(headers, dict) else tuple(headers or ())
