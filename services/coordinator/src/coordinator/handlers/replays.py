"""Features are computed once more, beside what is served; then one or the other is served."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from candlelog.clock import Clock
from candlelog.errors import Invalid, Unavailable
from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.jobs import ReplayFeaturesV1, SwitchReplayV1
from candlelog.log.outcome import CONSUMED, Done, Outcome
from candlelog.log.types import Received
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from candlelog.stores.postgres import Connection
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import feature_rows, job_rows, replay_rows
from coordinator.domain import announcing
from coordinator.domain.planning import Rebuild, TaskPlan
from coordinator.domain.replays import check_stored, next_build, period, plan_replay
from coordinator.domain.submission import series_of
from coordinator.domain.switching import Replay, refusal, rows_lost, target
from coordinator.handlers.accepting import fail, queue, to_plan
from coordinator.ports import Stock

_LOOK_AGAIN_SECONDS: Final = 0.5
"""Features of one candle are stored build by build: what lacks now may be there in a moment."""
COUNT_SECONDS: Final = 15.0
"""How long it may take to count what a switch would lose; who asked is told within 20 s."""
_NOT_COUNTED: Final = (
    "comparison_failed",
    "what would be lost could not be counted: try again later",
)

Served = Mapping[Series, FeatureBuildRef]


class Replays:
    """Plans replays and decides about what they have written.

    What is stored is read first, then everything is decided and written in one transaction.
    """

    def __init__(self, transactions: Transactions, stock: Stock, clock: Clock) -> None:
        self._transactions = transactions
        self._stock = stock
        self._clock = clock

    async def plan(self, command: ReplayFeaturesV1) -> None:
        """Plan a job that was taken, or let it fail with the reason. Raises `Unavailable`."""
        now = self._clock.now()
        try:
            stored, noted = await self._seen(command)
            check_stored(command, stored, noted)
        except Invalid as error:
            await fail(self._transactions, command, reason=str(error), now=now)
            return
        async with self._transactions.begin() as transaction:
            connection = transaction.connection
            job = await to_plan(transaction, command.job_id)
            if job is None:
                return
            rebuilds = await _rebuilds(connection, command, noted)
            plans = await asyncio.to_thread(plan_replay, command, rebuilds, stored)
            await queue(transaction, job, plans, now)
            await _note(connection, command, plans)

    async def switch(self, received: Received, command: SwitchReplayV1) -> Outcome:
        """Decide which build is served, or that one is given up; answer. Raises `Unavailable`."""
        lost = await self._lost(command)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
            await _decide(transaction, command, lost, self._clock.now())
        return Done()

    async def _seen(self, command: ReplayFeaturesV1) -> tuple[Mapping[Series, TimeRange], Served]:
        """Where there are candles in the range, and what the sink serves of the set."""
        stored: dict[Series, TimeRange] = {}
        for name in dict.fromkeys(command.timeframes):
            window = period(command, Timeframe.parse(name))
            series = [Series(command.exchange, symbol, name) for symbol in command.symbols]
            stored.update(await self._stock.candles(series, window))
        series = series_of(command)
        return stored, await self._stock.served(series, command.feature_set.name)

    async def _lost(self, command: SwitchReplayV1) -> int | None:
        """How many candles would lose their features by a switch; None where that cannot be told
        now. Whatever ClickHouse says, there is an answer: other commands wait behind this one."""
        async with self._transactions.begin() as transaction:
            connection = transaction.connection
            if command.action == "close" or await _refusal(connection, command, lost=0):
                return 0
            standings = await replay_rows.standings(connection, command.job_id)
        name = standings[0].rebuild.feature_set
        exchanged = {each.series: (each.served, target(each, command.action)) for each in standings}
        try:
            async with asyncio.timeout(COUNT_SECONDS):
                lost = await self._stock.lost(name, exchanged)
                if lost:
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                    lost = await self._stock.lost(name, exchanged)
        except (Unavailable, TimeoutError):
            return None
        return lost


async def _rebuilds(
    connection: Connection, command: ReplayFeaturesV1, noted: Served
) -> dict[Series, Rebuild]:
    """Which build each series gets, and what it is compared with."""
    await replay_rows.lock(connection)
    series, name = series_of(command), command.feature_set.name
    served = {**noted, **await replay_rows.served(connection, series, name)}
    taken = await replay_rows.builds(connection, series, name)
    return {
        each: Rebuild(name, next_build(command, taken.get(each, ())), served[each])
        for each in series
    }


async def _note(
    connection: Connection, command: ReplayFeaturesV1, plans: Sequence[TaskPlan]
) -> None:
    """Write what is computed. A first build of a version is one that the series has from now on,
    as by a job: jobs compute it no more once it is complete.
    """
    await replay_rows.insert(connection, command.job_id, plans)
    first = [each.series for each in plans if each.rebuild and each.rebuild.new.build == 0]
    if first:
        await feature_rows.mark(connection, first, (command.feature_set,), command.job_id)


async def _decide(
    transaction: Transaction, command: SwitchReplayV1, lost: int | None, now: datetime
) -> None:
    refused = await _refusal(transaction.connection, command, lost=lost)
    transaction.say(announcing.answered(command, refused, now))
    if refused is None:
        await _carry_out(transaction, command)


async def _refusal(
    connection: Connection, command: SwitchReplayV1, *, lost: int | None
) -> tuple[str, str] | None:
    jobs = await job_rows.lock(connection, [command.job_id])
    await replay_rows.lock(connection)
    job = jobs.get(command.job_id)
    replay = job and Replay(
        job.status,
        await replay_rows.closed(connection, command.job_id),
        await replay_rows.standings(connection, command.job_id),
        await replay_rows.running(connection, command.job_id),
    )
    refused = refusal(replay, command.action)
    if refused is None and lost is None:
        return _NOT_COUNTED
    return rows_lost(lost, command.action) if refused is None and lost else refused


async def _carry_out(transaction: Transaction, command: SwitchReplayV1) -> None:
    connection = transaction.connection
    standings = await replay_rows.standings(connection, command.job_id)
    if command.action == "close":
        await replay_rows.serve(connection, standings, [each.served for each in standings])
        closed = await replay_rows.close(connection, command.job_id)
        for each in standings:
            if each.series in closed:
                transaction.say(announcing.closed(each, closed[each.series]))
        return
    serving = [target(each, command.action) for each in standings]
    await replay_rows.serve(connection, standings, serving)
    for each, build in zip(standings, serving, strict=True):
        transaction.say(announcing.served(each, build))
