"""A submitted job is taken, or fails with the reason; then it becomes tasks."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog

from candlelog.clock import Clock
from candlelog.errors import Invalid, Unavailable
from candlelog.events.event import Event
from candlelog.events.jobs import FillGapsV1, PlanJobV1, SubmitJobV1
from candlelog.events.progress import PlanAnsweredV1
from candlelog.log.outcome import Done, Outcome, Skip
from candlelog.log.types import Received
from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import feature_rows, job_rows, replay_rows, submission_rows
from coordinator.domain import announcing
from coordinator.domain.jobs import TO_PLAN
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.repairs import plan_repair
from coordinator.domain.submission import Submission, check, series_of, sets_of
from coordinator.handlers.accepting import KNOWN, queue, refuse, take
from coordinator.ports import Coverage

_OLD = Skip("consumed before")
PLAN_SECONDS: Final = 15.0
"""How long a plan may look at what is stored; who asked waits for 20 s."""
_HURRY_SECONDS: Final = 3.0
"""How long a command about tasks may wait for them; who gave it waits for 5 s."""
_LOGGER: Final = structlog.get_logger()


class Submissions:
    """Takes jobs, and plans them in a step of its own: for that ClickHouse is read, for which other
    commands do not wait. Coverage is read first, then everything is written in one transaction.

    In that order no features are missed: of a range that coverage explained, either the chunk that
    stored it is still open when the transaction looks, or its features are stored. That leaves out
    chunks of which nobody waited for features: of a job cancelled meanwhile, or planned before the
    series had the set. Their features may come moments after a job that found their candles stored.
    """

    def __init__(
        self,
        transactions: Transactions,
        coverage: Coverage,
        clock: Clock,
        *,
        releasable: asyncio.Event,
    ) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._clock = clock
        self._releasable = releasable
        self._in_vain = set[UUID]()

    async def submit(self, received: Received, command: Submission) -> Outcome:
        """Take the job of a command, to be planned. Raises `Unavailable`."""
        now = self._clock.now()
        try:
            check(command)
        except Invalid as error:
            return await refuse(self._transactions, received, command, reason=str(error), now=now)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return _OLD
            if await take(transaction, command, tasks=len(series_of(command))) is None:
                return KNOWN
            await submission_rows.insert(transaction.connection, command)
        return Done()

    async def step(self) -> bool:
        """Plan the oldest job that waits for it; True where there was one.

        One that cannot be planned holds up no other: raises `Unavailable` after the last of them.
        """
        async with self._transactions.begin() as transaction:
            command = await submission_rows.oldest(transaction.connection, but=self._in_vain)
        if command is None:
            in_vain, self._in_vain = self._in_vain, set()
            if in_vain:
                raise Unavailable(f"{len(in_vain)} jobs cannot be planned now")
            return False
        try:
            await self._queue(command)
        except Unavailable as error:
            _LOGGER.warning("not_planned", job_id=str(command.job_id), reason=str(error))
            self._in_vain.add(command.job_id)
        return True

    async def hurry(self, job_id: UUID) -> None:
        """Plan a job before its turn, if it waits and that can be done now: its tasks are asked
        for."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_HURRY_SECONDS):
                async with self._transactions.begin() as transaction:
                    job = (await job_rows.lock(transaction.connection, [job_id])).get(job_id)
                    command = await submission_rows.of_job(transaction.connection, job_id)
                if command is not None and job is not None and job.status in TO_PLAN:
                    await self._queue(command)

    async def _queue(self, command: Submission) -> None:
        venue, now = profile(command.exchange), self._clock.now()
        seen = await self._seen(command, venue)
        async with self._transactions.begin() as transaction:
            connection = transaction.connection
            job = (await job_rows.lock(connection, [command.job_id]))[command.job_id]
            # Meanwhile it may have been paused or cancelled, or planned by another coordinator.
            if job.status not in TO_PLAN or not await submission_rows.forget(
                connection, job.job_id
            ):
                return
            known = await _with_features(transaction, command, seen)
            plans = await asyncio.to_thread(_plan, command, venue, known, now)
            await queue(transaction, job, plans, now)
        self._releasable.set()

    async def plan(self, received: Received, asked: PlanJobV1) -> Outcome:
        """Say what a job would do, as far as can be seen now. Raises `Unavailable`, but not for
        what is stored: who asked waits for seconds, every command behind it for as long as that."""
        command, now = asked.job, self._clock.now()
        try:
            venue = check(command)
        except Invalid as error:
            answer = PlanAnsweredV1(job_id=command.job_id, refused=str(error), answered_at=now)
            return await self._say(received, [answer])
        try:
            async with asyncio.timeout(PLAN_SECONDS):
                seen = await self._seen(command, venue)
        except (Unavailable, TimeoutError) as error:
            return Skip(f"no plan: {error}")
        known = await self._as_if_asked(command, seen)
        plans = await asyncio.to_thread(plan_job, command, venue, known, now)
        weight = venue.weights["klines"]
        answers = announcing.answers(command.job_id, plans, weight=weight, now=now)
        return await self._say(received, await asyncio.to_thread(list, answers))

    async def _as_if_asked(self, command: SubmitJobV1, seen: Known) -> Known:
        """What would be known of features if the job had asked for them."""
        series = series_of(command)
        async with self._transactions.begin() as transaction:
            marks = await feature_rows.marks(transaction.connection, series)
            pending = await feature_rows.pending(transaction.connection, series)
        new = dict.fromkeys(command.feature_sets, False)
        return replace(
            seen, marks={each: new | dict(marks.get(each, {})) for each in series}, pending=pending
        )

    async def _say(self, received: Received, events: Iterable[Event]) -> Outcome:
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return _OLD
            transaction.say(*events)
        return Done()

    async def _seen(self, command: Submission, venue: ExchangeProfile) -> Known:
        """What coverage knows of the series. A repair asks for its gaps whatever that is."""
        if isinstance(command, FillGapsV1):
            return Known()
        known = Known()
        series = (command.exchange, command.symbols, command.timeframes)
        if command.incremental:
            window = TimeRange(command.start, command.end)
            settle_delay = timedelta(seconds=venue.settle_delay_seconds)
            covered = await self._coverage.explained(
                *series, window=window, settle_delay=settle_delay
            )
            known = replace(known, covered=covered)
        if command.feature_sets:
            known = replace(known, stored=await self._coverage.stored(*series))
        return known


async def _with_features(transaction: Transaction, command: Submission, seen: Known) -> Known:
    """What was seen, and what is known of features; the series have the sets asked for by now."""
    connection, series = transaction.connection, series_of(command)
    if sets := sets_of(command):
        await replay_rows.lock(connection)
        if marked := await feature_rows.mark(connection, series, sets, command.job_id):
            again = await replay_rows.reopen(connection, marked)
            transaction.say(*map(announcing.reopened, again))
    return replace(
        seen,
        marks=await feature_rows.marks(connection, series),
        pending=await feature_rows.pending(connection, series),
    )


def _plan(
    command: Submission, venue: ExchangeProfile, known: Known, now: datetime
) -> list[TaskPlan]:
    if isinstance(command, FillGapsV1):
        return plan_repair(command, venue, known.marks, now)
    return plan_job(command, venue, known, now)
