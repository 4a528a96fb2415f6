"""The parts of a fetcher, put together."""

import asyncio
from random import Random
from uuid import uuid4

from candlelog.events.topics import FETCH_REQUESTED, JOBS_CONTROL
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.in_order import InOrder
from candlelog.log.ports import Consumer
from fetcher.adapters.archive_files import ArchiveFiles
from fetcher.control import Control
from fetcher.handlers import Handlers
from fetcher.limits.budgets import Budgets, Surroundings
from fetcher.limits.catalogue import Catalogue
from fetcher.ports import OpenExchange
from fetcher.settings import Settings
from fetcher.venues import Venues


async def serve(
    runtime: Runtime, settings: Settings, open_exchange: OpenExchange, random: Random
) -> None:
    """Fetch what is requested until `runtime.stopping` is set.

    What follows the log ends after the consume loop: requests in hand still need their grants.
    """
    clock, publisher = runtime.clock, runtime.publisher
    budgets = Budgets(
        Surroundings(runtime.log, publisher, clock, random, uuid4()),
        Catalogue(settings.egress, settings.budget_ceiling, clock),
    )
    control = Control(runtime.log, JOBS_CONTROL.full_name(runtime.topic_prefix), clock=clock)
    topics = runtime.topics(FETCH_REQUESTED.name)
    consumed = asyncio.Event()
    async with (
        Venues(open_exchange, budgets, clock=clock, random=random) as venues,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(budgets.run(consumed))
        group.create_task(control.run(consumed))
        timekeeping = group.create_task(venues.keep_times())
        files = ArchiveFiles(settings.archive_roots)
        handlers = Handlers(
            venues, files, control, publisher, clock=clock, instance=runtime.instance
        )
        await control.fresh()
        async with runtime.log.consumer(topics, runtime.group) as consumer:
            loop = _loop(runtime, InOrder(consumer), handlers, settings.concurrency)
            runtime.health.watch_lag(lambda: loop.lag)
            runtime.health.watch_troubles(venues.troubles)
            runtime.health.started()
            await loop.run(runtime.stopping)
        consumed.set()
        timekeeping.cancel()


def _loop(
    runtime: Runtime, consumer: Consumer, handlers: Handlers, concurrency: int
) -> ConsumeLoop:
    letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
    return ConsumeLoop(
        consumer, handlers, letters, clock=runtime.clock, batch=1, concurrency=concurrency
    )
