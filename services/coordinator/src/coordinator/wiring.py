"""The loops of a coordinator over its adapters."""

import asyncio
from random import Random
from typing import Final

from candlelog.events.topics import JOBS_COMMANDS, PROGRESS
from candlelog.lifecycle import VERSION, Runtime
from candlelog.log.consume import ConsumeLoop
from candlelog.log.dead_letters import DeadLetters
from candlelog.log.handling import Handle
from candlelog.log.ports import Consumer
from candlelog.market.profile import EXCHANGES, profile
from candlelog.stores.outbox import Relay
from candlelog.stores.transactions import Transactions
from candlelog.woken import Step, WokenLoop
from coordinator.adapters.listings import Listings
from coordinator.handlers.commands import Commands
from coordinator.handlers.plans import Plans
from coordinator.handlers.progress import ChunkProgress
from coordinator.handlers.release import Releases
from coordinator.handlers.replays import Replays
from coordinator.handlers.resume import resume
from coordinator.handlers.shadows import CandleReplays, ShadowProgress
from coordinator.handlers.submit import Submissions
from coordinator.ports import Changes, Coverage, Stock

_PROGRESS_BATCH: Final = 1000
_COMMANDS_BATCH: Final = 50
_PLANS_AT_ONCE: Final = 2
"""A look keeps two threads of ClickHouse's as long as that hangs; half of them stay free."""


class Coordinator:
    """Loops: commands, progress, the planning of jobs, plans that are only asked for, the release
    of chunks, and the outbox.

    While ClickHouse is away neither jobs nor replays can be planned, but those that run go on, and
    any can be steered. `tick_seconds` is how often to look for what no event of this process tells.
    """

    def __init__(
        self,
        transactions: Transactions,
        coverage: Coverage,
        stock: Stock,
        changes: Changes,
        *,
        listings: Listings,
        relay: Relay,
        tick_seconds: float,
        random: Random,
    ) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._stock = stock
        self._changes = changes
        self._listings = listings
        self._relay = relay
        self._tick_seconds = tick_seconds
        self._random = random

    async def run(self, runtime: Runtime) -> None:
        """Take up the jobs that are open, and work until `runtime.stopping` is set."""
        clock, log, group = runtime.clock, runtime.log, runtime.group
        transactions = self._transactions
        plannable, releasable, asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        replays = Replays(transactions, self._stock, clock)
        submissions = Submissions(
            transactions,
            self._coverage,
            replays,
            listings=self._listings,
            clock=clock,
            releasable=releasable,
        )
        plans = Plans(transactions, self._coverage, self._listings, clock, asked=asked)
        commands = Commands(
            transactions,
            submissions,
            replays,
            CandleReplays(transactions, self._changes, clock),
            plans=plans,
            woken=(plannable, releasable),
            clock=clock,
        )
        chunks = ChunkProgress(
            transactions, releasable=releasable, clock=clock, random=self._random
        )
        progress = ShadowProgress(chunks, transactions, clock)
        releases = Releases(transactions, [profile(name) for name in EXCHANGES], clock)
        await resume(transactions, clock)
        async with (
            log.consumer(runtime.topics(JOBS_COMMANDS.name), group) as command_records,
            log.consumer(runtime.topics(PROGRESS.name), group) as progress_records,
            asyncio.TaskGroup() as tasks,
        ):
            for loop in (
                self._consume(runtime, command_records, commands, _COMMANDS_BATCH),
                self._consume(runtime, progress_records, progress, _PROGRESS_BATCH),
                self._woken("planning", submissions.step, plannable),
                *(self._woken("plans", plans.step, asked) for _ in range(_PLANS_AT_ONCE)),
                self._woken("release", releases.step, releasable),
                self._woken("outbox", self._relay.step, transactions.outbox_filled),
            ):
                tasks.create_task(loop.run(runtime.stopping))
            runtime.health.started()

    def _consume(
        self, runtime: Runtime, consumer: Consumer, handle: Handle, batch: int
    ) -> ConsumeLoop:
        runtime.health.watch_lag(lambda: consumer.lag)
        letters = DeadLetters(runtime.publisher, service=runtime.service, version=VERSION)
        return ConsumeLoop(consumer, handle, letters, clock=runtime.clock, batch=batch)

    def _woken(self, name: str, step: Step, woken: asyncio.Event) -> WokenLoop:
        return WokenLoop(
            name,
            step,
            woken,
            service="coordinator",
            tick_seconds=self._tick_seconds,
            random=self._random,
        )
