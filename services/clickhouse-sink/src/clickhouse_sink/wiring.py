"""The loops of a sink over its tables."""

import asyncio
from contextlib import AsyncExitStack
from typing import Final

from candlelog.events.rebuild import RebuildRequestedV1, ShadowRequestedV1
from candlelog.events.topics import CANDLES, FEATURES, REPLAY_REQUESTED, Topic
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handle
from candlelog.log.types import AT_ONCE, Fetch
from clickhouse_sink.adapters.sets import ClickHouseSets
from clickhouse_sink.handlers.apart import Apart
from clickhouse_sink.handlers.batches import StoreBatches
from clickhouse_sink.handlers.features import NoteBuilds, StoreFeatures
from clickhouse_sink.handlers.rebuild import Rebuild, StepSize
from clickhouse_sink.handlers.shadows import ChangeShadows
from clickhouse_sink.handlers.turns import Turns
from clickhouse_sink.handlers.watermarks import Watermarks, repeat
from clickhouse_sink.ports import FeatureTables
from clickhouse_sink.settings import Settings

_STEP: Final = StepSize(records=100, rows=100_000)
"""A rebuild's share of a flush, of each partition: some tenths of a second."""
_BLOCKS: Final = Fetch(least_bytes=4 * 1024 * 1024, wait_ms=200, idle_ms=200)
"""Of features: many columns make an insert dear, and each one a part that must be merged."""


_AT_ONCE: Final = 2
"""Flushes of candles in hand: what is not inserted meanwhile is read, checked or told."""


class Sink:
    """Three loops: candles, features, and the requests that say which series have features.

    Each topic is read in a group of its own, so that one does not rebalance the others.
    """

    def __init__(
        self, runtime: Runtime, settings: Settings, sets: ClickHouseSets, features: FeatureTables
    ) -> None:
        self._runtime = runtime
        self._settings = settings
        clock, publisher, turns = runtime.clock, runtime.publisher, Turns()
        self._watermarks: Final = {
            topic: Watermarks(topic) for topic in (CANDLES, REPLAY_REQUESTED)
        }
        self._handlers: Final[dict[Topic, Handle]] = {
            CANDLES: Apart(
                StoreBatches(
                    sets,
                    publisher,
                    self._watermarks[CANDLES],
                    clock=clock,
                    max_rows=settings.flush_rows,
                    turns=turns,
                ),
                RebuildRequestedV1,
                Rebuild(sets, runtime.log, publisher, _STEP, turns=turns),
            ),
            FEATURES: StoreFeatures(features, publisher, clock),
            REPLAY_REQUESTED: Apart(
                NoteBuilds(features, publisher, self._watermarks[REPLAY_REQUESTED]),
                ShadowRequestedV1,
                ChangeShadows(sets, publisher),
            ),
        }

    async def run(self) -> None:
        """Store until the runtime is told to stop."""
        runtime, stopping = self._runtime, self._runtime.stopping
        seconds = self._settings.watermark_seconds
        async with AsyncExitStack() as consumers:
            loops = [
                await self._loop(topic, handle, consumers)
                for topic, handle in self._handlers.items()
            ]
            runtime.health.started()
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop.run(stopping))
                group.create_task(
                    repeat(list(self._watermarks.values()), runtime.publisher, stopping, seconds)
                )

    async def _loop(self, topic: Topic, handle: Handle, consumers: AsyncExitStack) -> ConsumeLoop:
        runtime = self._runtime
        consumer = await consumers.enter_async_context(
            runtime.log.consumer(
                runtime.topics(topic.name),
                f"{runtime.group}.{topic.name}",
                fetch=_BLOCKS if topic is FEATURES else AT_ONCE,
            )
        )
        letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
        loop = ConsumeLoop(
            consumer,
            handle,
            letters,
            clock=runtime.clock,
            batch=self._settings.batch,
            concurrency=_AT_ONCE if topic is CANDLES else 1,
        )
        if topic in self._watermarks:
            loop.when_revoked(self._watermarks[topic].forget)
        runtime.health.watch_lag(lambda: loop.lag)
        runtime.health.watch_troubles(lambda: {topic.name: loop.trouble} if loop.trouble else {})
        return loop
