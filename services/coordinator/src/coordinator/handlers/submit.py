"""A submitted job becomes tasks, or fails with the reason."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.events.jobs import FillGapsV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.types import Received
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.states import Action, Status
from candlelog.stores.postgres import Connection
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import feature_rows, job_rows, task_rows
from coordinator.adapters.job_rows import NewJob
from coordinator.domain import announcing
from coordinator.domain.jobs import Job, moved
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.repairs import plan_repair
from coordinator.domain.routes import Route
from coordinator.domain.submission import Submission, check, series_of, sets_of
from coordinator.ports import Coverage

_OLD = Skip("consumed before")
_KNOWN = Skip("there is a job with this id")


class Submissions:
    """Plans jobs: coverage is read first, then everything is written in one transaction.

    In that order no features are missed: of a range that coverage explained, either the chunk that
    stored it is still open when the transaction looks, or its features are stored. That leaves out
    chunks of which nobody waited for features: of a job cancelled meanwhile, or planned before the
    series had the set. Their features may come moments after a job that found their candles stored.
    """

    def __init__(self, transactions: Transactions, coverage: Coverage, clock: Clock) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._clock = clock

    async def submit(self, received: Received, command: Submission) -> Outcome:
        """Plan the job of a command. Raises `Unavailable`."""
        try:
            venue = check(command)
        except Invalid as error:
            await self._fail(received, command, str(error))
            return Reject(str(error))
        now = self._clock.now()
        seen = await self._seen(command, venue)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return _OLD
            known = await _with_features(transaction.connection, command, seen)
            plans = await asyncio.to_thread(_plan, command, venue, known, now)
            return await _accept(transaction, command, plans, now)

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

    async def _fail(self, received: Received, command: Submission, reason: str) -> None:
        """Let the job be seen as failed. A repeated command finds it so."""
        now = self._clock.now()
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return
            new = _new_job(command, Status.FAILED, [])
            if await job_rows.insert(transaction.connection, new):
                pending = _job(command, Status.PENDING, version=0)
                failed = moved(Status.PENDING, Action.FAIL)
                transaction.say(announcing.job_changed(pending, failed, now, reason))


async def _with_features(connection: Connection, command: Submission, seen: Known) -> Known:
    """What was seen, and what is known of features; the series have the sets asked for by now."""
    series = series_of(command)
    await feature_rows.mark(connection, series, sets_of(command), command.job_id)
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


async def _accept(
    transaction: Transaction, command: Submission, plans: list[TaskPlan], now: datetime
) -> Outcome:
    job = _job(command, moved(Status.PENDING, Action.ACCEPT), version=1)
    if not await job_rows.insert(transaction.connection, _new_job(command, job.status, plans)):
        return _KNOWN
    await task_rows.insert(transaction.connection, job.job_id, plans)
    transaction.say(*await asyncio.to_thread(list, announcing.planned(job, plans, now)))
    if not any(plan.chunks_total for plan in plans):
        completed = moved(job.status, Action.COMPLETE)
        await job_rows.move(transaction.connection, job, completed)
        transaction.say(announcing.job_changed(job, completed, now))
    return Done()


def _job(command: Submission, status: Status, *, version: int) -> Job:
    return Job(
        job_id=command.job_id,
        exchange=command.exchange,
        status=status,
        version=version,
        generation=0,
        max_attempts=command.max_attempts,
        cancelled_by=None,
    )


def _new_job(command: Submission, status: Status, plans: list[TaskPlan]) -> NewJob:
    return NewJob(
        job_id=command.job_id,
        exchange=command.exchange,
        priority=command.priority,
        max_attempts=command.max_attempts,
        status=status,
        version=1,
        tasks_total=len(plans),
        tasks_completed=sum(not plan.chunks_total for plan in plans),
        chunks=_chunks(plans),
        submitted_at=command.submitted_at,
    )


def _chunks(plans: list[TaskPlan]) -> dict[Route, int]:
    chunks = Counter[Route]()
    for plan in plans:
        chunks.update({queue.route: queue.chunks_total for queue in plan.queues})
    return chunks
