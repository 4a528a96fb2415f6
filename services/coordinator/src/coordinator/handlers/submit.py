"""A submitted job becomes tasks, or fails with the reason."""

import asyncio
from datetime import datetime, timedelta

from candlelog.clock import Clock
from candlelog.errors import Invalid
from candlelog.events.jobs import SubmitJobV1
from candlelog.log.outcome import Done, Outcome, Reject, Skip
from candlelog.log.types import Received
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.states import Action, Status
from coordinator.adapters import job_rows, task_rows
from coordinator.adapters.job_rows import NewJob
from coordinator.adapters.transaction import Transaction, Transactions
from coordinator.domain import announcing
from coordinator.domain.jobs import Job, moved
from coordinator.domain.planning import Covered, TaskPlan, plan_job
from coordinator.domain.submission import check
from coordinator.ports import Coverage

_OLD = Skip("consumed before")
_KNOWN = Skip("there is a job with this id")


class Submissions:
    """Plans jobs: coverage is read first, then everything is written in one transaction."""

    def __init__(self, transactions: Transactions, coverage: Coverage, clock: Clock) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._clock = clock

    async def submit(self, received: Received, command: SubmitJobV1) -> Outcome:
        """Plan the job of a command. Raises `Unavailable`."""
        try:
            venue = check(command)
        except Invalid as error:
            await self._fail(received, command, str(error))
            return Reject(str(error))
        now = self._clock.now()
        covered = await self._covered(command, venue)
        plans = await asyncio.to_thread(plan_job, command, venue, covered, now)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return _OLD
            return await _accept(
                transaction, command, plans=plans, page_size=venue.page_size, now=now
            )

    async def _covered(self, command: SubmitJobV1, venue: ExchangeProfile) -> Covered:
        if not command.incremental:
            return {}
        return await self._coverage.explained(
            command.exchange,
            command.symbols,
            command.timeframes,
            window=TimeRange(command.start, command.end),
            settle_delay=timedelta(seconds=venue.settle_delay_seconds),
        )

    async def _fail(self, received: Received, command: SubmitJobV1, reason: str) -> None:
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


async def _accept(
    transaction: Transaction,
    command: SubmitJobV1,
    *,
    plans: list[TaskPlan],
    page_size: int,
    now: datetime,
) -> Outcome:
    job = _job(command, moved(Status.PENDING, Action.ACCEPT), version=1)
    if not await job_rows.insert(transaction.connection, _new_job(command, job.status, plans)):
        return _KNOWN
    await task_rows.insert(transaction.connection, job.job_id, plans, page_size)
    transaction.say(*await asyncio.to_thread(list, announcing.planned(job, plans, now)))
    if not any(plan.chunks_total for plan in plans):
        completed = moved(job.status, Action.COMPLETE)
        await job_rows.move(transaction.connection, job, completed)
        transaction.say(announcing.job_changed(job, completed, now))
    return Done()


def _job(command: SubmitJobV1, status: Status, *, version: int) -> Job:
    return Job(
        job_id=command.job_id,
        exchange=command.exchange,
        status=status,
        version=version,
        generation=0,
        max_attempts=command.max_attempts,
        cancelled_by=None,
    )


def _new_job(command: SubmitJobV1, status: Status, plans: list[TaskPlan]) -> NewJob:
    return NewJob(
        job_id=command.job_id,
        exchange=command.exchange,
        priority=command.priority,
        max_attempts=command.max_attempts,
        status=status,
        version=1,
        tasks_total=len(plans),
        tasks_completed=sum(not plan.chunks_total for plan in plans),
        chunks_total=sum(plan.chunks_total for plan in plans),
        submitted_at=command.submitted_at,
    )
