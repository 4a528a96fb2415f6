"""One replica: its handlers, and the loops that keep them fed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

from candlelog.events.topics import (
    GAPS,
    JOBS_COMMANDS,
    LIMITS_DEMAND,
    LIMITS_LEDGER,
    MARKETS,
    PROGRESS,
    SERVICES,
    Topic,
)
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handle
from candlelog.log.pace import Paced
from candlelog.market.feature_sets import load_feature_sets
from candlelog.stores.postgres import Pool
from status_api.adapters.changes import ChangeReader
from status_api.adapters.files import FileReader
from status_api.adapters.gaps import GapReader
from status_api.adapters.history import History
from status_api.adapters.jobs import JobReader
from status_api.adapters.plans import Plans
from status_api.adapters.projection_store import PostgresProjectionStore
from status_api.domain.budgets import Ledger
from status_api.domain.components import Reports
from status_api.handlers.context import Context
from status_api.handlers.deletions import Deletions
from status_api.handlers.landings import Landings
from status_api.handlers.live import Feed
from status_api.handlers.markets import Markets
from status_api.handlers.mirrors import Mirror
from status_api.handlers.projector import Projector
from status_api.settings import Settings

_NEWEST_OF_LEDGER: Final = 10_000
"""Enough for the window at hand of every budget; older ones are not shown."""

_ENOUGH: Final = 250
_PACE_SECONDS: Final = 0.04


class Replica:
    """Serves from the shared projection, and folds its share of the partitions into it."""

    def __init__(
        self,
        runtime: Runtime,
        *,
        pool: Pool,
        store: PostgresProjectionStore,
        history: History,
        settings: Settings,
    ) -> None:
        self._runtime = runtime
        self._store = store
        landings = Landings()
        self._projector = Projector(store, landings)
        self.context: Final = Context(
            clock=runtime.clock,
            publisher=runtime.publisher,
            jobs=JobReader(pool),
            gaps=GapReader(pool),
            files=FileReader(pool),
            history=history,
            feed=Feed(
                ChangeReader(pool, runtime.topic_prefix),
                landings,
                runtime.clock,
                most_clients=settings.streams,
            ),
            landings=landings,
            markets=Markets(runtime.publisher, runtime.clock),
            ledger=Ledger(),
            plans=Plans(runtime.log, runtime.publisher),
            reports=Reports(),
            feature_sets=load_feature_sets(settings.feature_sets),
            new_id=uuid4,
            sandbox=settings.sandbox,
        )

    async def run(self) -> None:
        """Project and serve until the runtime is told to stop."""
        runtime, context = self._runtime, self.context
        mirrors = self._mirrors()
        fold = self._projector.handle
        paced = Paced(fold, runtime.clock, _PACE_SECONDS, enough=_ENOUGH)
        async with (
            self._loop(JOBS_COMMANDS, fold) as commands,
            self._loop(PROGRESS, paced) as progress,
            self._loop(GAPS, fold) as gaps,
        ):
            runtime.health.check("postgres", context.jobs.ping)
            loops = (commands, progress, gaps)
            runtime.health.watch_lag(lambda: sum(loop.lag for loop in loops))
            async with asyncio.TaskGroup() as group:
                for loop in loops:
                    group.create_task(loop.run(runtime.stopping))
                group.create_task(context.feed.run(runtime.stopping))
                group.create_task(Deletions(self._store).run(runtime.stopping))
                for mirror in mirrors:
                    group.create_task(mirror.run(runtime.stopping))
                group.create_task(self._ready(mirrors))

    @asynccontextmanager
    async def _loop(self, topic: Topic, handle: Handle) -> AsyncGenerator[ConsumeLoop]:
        """Folds one topic. Each has its own: a new job does not wait behind a batch of progress."""
        runtime = self._runtime
        group = f"{runtime.group}.{await self._store.projection_id()}.{topic.name}"
        letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
        async with runtime.log.consumer(runtime.topics(topic.name), group) as consumer:
            yield ConsumeLoop(consumer, handle, letters, clock=runtime.clock)

    async def _ready(self, mirrors: list[Mirror]) -> None:
        """Ready once everything that is kept in memory has been read."""
        for mirror in mirrors:
            caught_up = asyncio.create_task(mirror.caught_up.wait())
            stopped = asyncio.create_task(self._runtime.stopping.wait())
            await asyncio.wait({caught_up, stopped}, return_when=asyncio.FIRST_COMPLETED)
            caught_up.cancel()
            stopped.cancel()
        self._runtime.health.started()

    def _mirrors(self) -> list[Mirror]:
        runtime, context = self._runtime, self.context
        budgets = runtime.topics(LIMITS_LEDGER.name, LIMITS_DEMAND.name)
        return [
            Mirror(runtime.log, runtime.topics(MARKETS.name), context.markets.read),
            Mirror(runtime.log, runtime.topics(SERVICES.name), context.reports.read),
            Mirror(runtime.log, budgets, context.ledger.read, newest=_NEWEST_OF_LEDGER),
        ]
