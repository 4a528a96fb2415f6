"""The parts of a featurizer, put together."""

import asyncio

from candlelog.events.codec import decode_headers
from candlelog.events.topics import CANDLES, REPLAY_REQUESTED
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handling
from candlelog.market.feature_sets import FeatureSets
from featurizer.adapters.faust_stream import FaustStream
from featurizer.adapters.gathering import Gathering
from featurizer.adapters.watermarks import SinkWatermarks
from featurizer.handlers import Featurize, Limits
from featurizer.ports import Stored
from featurizer.settings import Settings


async def serve(
    runtime: Runtime,
    settings: Settings,
    stored: Stored,
    feature_sets: FeatureSets,
) -> None:
    """Compute features until `runtime.stopping` is set."""
    watermarks = SinkWatermarks(runtime.log, runtime.topic_prefix, clock=runtime.clock)
    featurize = Featurize(
        stored,
        watermarks,
        runtime.publisher,
        feature_sets,
        limits=Limits(settings.rows, settings.topic_epoch),
    )
    letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
    stream = FaustStream(
        settings.kafka_bootstrap,
        runtime.group,
        runtime.topics(CANDLES.name, REPLAY_REQUESTED.name),
        Handling(featurize, letters, clock=runtime.clock, decode=decode_headers),
        clock=runtime.clock,
        gathering=Gathering(
            watermarks,
            runtime.topic_prefix,
            most=settings.group,
            seconds=settings.gather_seconds,
        ),
    )
    runtime.health.watch_lag(lambda: stream.lag)
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(watermarks.run(ended))
        runtime.health.started()
        try:
            await stream.run(runtime.stopping)
        finally:
            ended.set()
