"""Feature batches into the table, and requests for features into the note of who has them."""

import asyncio
from collections.abc import Sequence

from candlelog.clock import Clock
from candlelog.events.features import FeatureBatchV1
from candlelog.events.replay import BuildsChangedV1, ReplayRequestedV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.publish import Publisher
from candlelog.log.types import Received
from clickhouse_sink.domain.builds import decided, to_note, wanted
from clickhouse_sink.domain.features import feature_tables, features_fault, features_stored
from clickhouse_sink.handlers.watermarks import Watermarks
from clickhouse_sink.ports import FeatureTables


class StoreFeatures:
    """Handles many feature batches at once. Rows that come again replace themselves."""

    def __init__(self, tables: FeatureTables, publisher: Publisher, clock: Clock) -> None:
        self._tables = tables
        self._publisher = publisher
        self._clock = clock

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Store the rows, then say which chunks are through. Raises `Unavailable`."""
        outcomes, batches = await asyncio.to_thread(_checked, received)
        for rows in await asyncio.to_thread(feature_tables, batches):
            await self._tables.append_features(rows)
        await self._publisher.publish(*features_stored(batches, self._clock.now()))
        return outcomes


class NoteBuilds:
    """Notes which series have which features, and which of these are served, before the watermark
    says that it is noted.
    """

    def __init__(self, tables: FeatureTables, publisher: Publisher, watermarks: Watermarks) -> None:
        self._tables = tables
        self._publisher = publisher
        self._watermarks = watermarks

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """Note what is new, then move the watermarks. Raises `Unavailable`."""
        events = [item.event for item in received]
        builds = wanted(event for event in events if isinstance(event, ReplayRequestedV1))
        noted = await self._tables.builds({build.series for build in builds})
        changes = decided(event for event in events if isinstance(event, BuildsChangedV1))
        if new := to_note(builds, noted) | changes:
            await self._tables.note(new)
        self._watermarks.advance(item.record for item in received)
        await self._publisher.publish(*self._watermarks.events())
        return [
            Done()
            if isinstance(event, ReplayRequestedV1 | BuildsChangedV1)
            else Skip("says nothing about builds")
            for event in events
        ]


def _checked(received: Sequence[Received]) -> tuple[list[Outcome], list[FeatureBatchV1]]:
    outcomes: list[Outcome] = []
    batches: list[FeatureBatchV1] = []
    for item in received:
        event = item.event
        if not isinstance(event, FeatureBatchV1):
            outcomes.append(Skip("not a feature batch"))
        elif (reason := features_fault(event)) is not None:
            outcomes.append(Reject(reason))
        else:
            outcomes.append(Done())
            batches.append(event)
    return outcomes, batches
