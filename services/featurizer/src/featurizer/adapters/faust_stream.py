"""Faust: reads the topics of the featurizer, and lets nothing be acknowledged that is not done.

Faust acknowledges an event whose agent raised, and every event that `take` has buffered when the
agent is cancelled. So the agent only hands events on, without acknowledgement. What follows from
them happens outside of it; once it is on the log they are acknowledged one by one, and a bug ends
the process before that.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

import faust
from faust.contrib.asgi import faust_app_running

from candlelog.clock import Clock
from candlelog.errors import Fatal, Unavailable
from candlelog.grace import IN_HAND_SECONDS, MAIN_SECONDS
from candlelog.log.handling import DroppedError, Handling
from candlelog.log.kafka.errors import mapped
from candlelog.log.kafka.log import REBALANCE_MS, SESSION_MS
from candlelog.log.kafka.watchdog import Watchdog
from candlelog.log.types import Partition, Record
from candlelog.telemetry import CONSUMER_LAG
from featurizer.adapters.gathering import Gathering, Taken

_JOIN_SECONDS: Final = 3 * REBALANCE_MS / 1000
"""How long it may take to get partitions. Faust that meets a broker which is away just then may
neither get any nor say so."""
_AHEAD: Final = 64
"""Records that Faust takes at once, and as many again that wait for the agent: up to 20 MB each,
where they are parts of an archive's files."""
_PARTITION_BYTES: Final = 256 * 1024
"""What one answer of the broker brings of each partition; a larger record still comes."""
_LOOK_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 5.0


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
        self._done: dict[Any, int] = {}
        self._rebalances = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._app = _app(bootstrap, group)
        source = self._app.topic(*topics, key_serializer="raw", value_serializer="raw")
        self._app.agent(source, name=f"{group}.agent")(self._hand_on)
        self._app.on_partitions_revoked.connect(self._forget)
        self._app.on_partitions_assigned.connect(self._join)
        self._joined = asyncio.Event()

    @property
    def lag(self) -> int:
        """Records between what was done and the ends of the partitions worked on."""
        return sum(self._behind(partition) for partition in self._done)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; raises what the agent met otherwise, or `Fatal` when the
        stream has gone silent. Sets `stopping` itself then: Faust may never end by itself."""
        async with AsyncExitStack() as stack:
            await self._start(stack)
            parts = [
                asyncio.create_task(part) for part in (stopping.wait(), self._work(), self._watch())
            ]
            try:
                await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                stopping.set()
                await self._let_go()
            finally:
                for part in parts:
                    part.cancel()
            for part in parts:
                if part.done() and not part.cancelled():
                    part.result()

    async def _start(self, stack: AsyncExitStack) -> None:
        """Start Faust, and wait until it is a member of its group. Raises `Fatal`."""
        running = faust_app_running(self._app, stop_timeout=MAIN_SECONDS)
        try:
            async with asyncio.timeout(_JOIN_SECONDS):
                await stack.enter_async_context(running)
                await self._joined.wait()
        except TimeoutError:
            raise _not_joined() from None

    async def _hand_on(self, stream: Any) -> None:
        async for event in stream.noack().events():
            await self._gathering.put(Taken(_record(event.message), event, self._rebalances))

    async def _work(self) -> None:
        """Work on group after group, until none is to be taken any more."""
        while True:
            await self._gathering.filled()
            if self._handling.letting_go.is_set():
                return
            self._idle.clear()
            try:
                await self._finish(await self._gathering.group())
            except DroppedError:
                return
            finally:
                self._idle.set()

    async def _finish(self, group: Sequence[Taken]) -> None:
        found = await self._handling.finish([each.record for each in group])
        for each in group:
            each.event.ack()
            if each.rebalances == self._rebalances:
                self._done[each.event.message.tp] = each.record.offset + 1
        self._handling.count_rejects(found)
        self._report_lag()

    async def _let_go(self) -> None:
        """Take no more, and give what is in hand a while to be done."""
        self._handling.letting_go.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(IN_HAND_SECONDS):
                await self._idle.wait()

    async def _forget(self, *_: Any, **__: Any) -> None:
        """The partitions were taken away: how far they are done is another's to know."""
        for partition in self._done:
            CONSUMER_LAG.labels(*partition).set(0)
        self._done.clear()
        self._rebalances += 1
        self._joined.clear()

    async def _join(self, *_: Any, **__: Any) -> None:
        """There are partitions to work on, or others have them all."""
        self._joined.set()

    async def _watch(self) -> None:
        """Raise `Fatal` when there is something to read and nothing comes."""
        watchdog, seen = Watchdog(self._clock.monotonic()), (0, 0)
        joined_at = self._clock.monotonic()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._report_lag()
            now, moved = self._clock.monotonic(), (self._rebalances, sum(self._done.values()))
            if self._joined.is_set():
                joined_at = now
            elif now - joined_at > _JOIN_SECONDS:
                raise _not_joined()
            if not self._idle.is_set() or moved != seen:  # whoever waits for the sink is not silent
                seen = moved
                watchdog.fed(now)
            elif watchdog.due(now):
                with suppress(Unavailable):  # a broker that does not answer tells nothing
                    if watchdog.starving(now, behind=await self._is_behind()):
                        raise Fatal("the stream has gone silent while there is something to read")

    async def _is_behind(self) -> bool:
        """Whether the broker has more than was done; of partitions of which nothing was done since
        they were assigned, more than was fetched. Raises `Unavailable`."""
        consumer = self._app.consumer
        with mapped("asking for the end of the log"):
            async with asyncio.timeout(_ANSWER_SECONDS):
                ends = await consumer.highwaters(*consumer.assignment())
                reached = dict(self._done)
                for each in ends.keys() - reached.keys():
                    reached[each] = await consumer.position(each)
        return any(reached[each] < end for each, end in ends.items())

    def _report_lag(self) -> None:
        for partition in self._done:
            CONSUMER_LAG.labels(*partition).set(self._behind(partition))

    def _behind(self, partition: Any) -> int:
        try:
            end = self._app.consumer.highwater(partition)
        except AssertionError:  # taken away in this moment
            return 0
        return 0 if end is None else max(0, end - self._done[partition])


def _not_joined() -> Fatal:
    return Fatal(f"Faust has had no partitions for {_JOIN_SECONDS:.0f} s")


def _app(bootstrap: str, group: str) -> Any:
    return faust.App(
        group,
        # Of tables, of which there are none. Faust makes it anyway, else where it was started.
        datadir=Path(gettempdir()) / "candlelog-faust",
        broker=[f"aiokafka://{address}" for address in bootstrap.split(",")],
        autodiscover=False,
        broker_commit_interval=1.0,
        broker_max_poll_records=_AHEAD,
        consumer_max_fetch_size=_PARTITION_BYTES,
        broker_max_poll_interval=3600.0,
        # With Faust's own minute nobody reads so long when a member was killed.
        broker_session_timeout=SESSION_MS / 1000,
        broker_heartbeat_interval=SESSION_MS / 4000,
        broker_rebalance_timeout=REBALANCE_MS / 1000,
        consumer_auto_offset_reset="earliest",
        # A rebalance does not wait for a group that waits for the sink: its events come again.
        stream_wait_empty=False,
        stream_buffer_maxsize=_AHEAD,
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
