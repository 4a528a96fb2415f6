"""Chunks go out to the fetchers, as far as there is credit for their exchange."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.market.profile import ExchangeProfile
from candlelog.market.states import TERMINAL, Action, Status
from coordinator.adapters import chunk_rows, job_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.adapters.transaction import Transaction, Transactions
from coordinator.domain import announcing
from coordinator.domain.fairness import DeficitRoundRobin, take_turns
from coordinator.domain.jobs import Job, moved
from coordinator.domain.releasing import Released, again, cut, requests


class Releases:
    """Releases chunks, exchange by exchange.

    Credit is what the profile lets be in flight, less the chunks that are released and not stored:
    a slow store slows the release. One coordinator at a time does this for an exchange.
    """

    def __init__(
        self, transactions: Transactions, venues: Sequence[ExchangeProfile], clock: Clock
    ) -> None:
        self._transactions = transactions
        self._venues: Final = [(venue, DeficitRoundRobin()) for venue in venues]
        self._clock = clock

    async def step(self) -> bool:
        """Release all there is credit for; never more at once. Raises `Unavailable`."""
        for venue, turns in self._venues:
            async with self._transactions.begin() as transaction:
                await _release(transaction, venue, turns, self._clock.now())
        return False


async def _release(
    transaction: Transaction, venue: ExchangeProfile, turns: DeficitRoundRobin, now: datetime
) -> None:
    connection = transaction.connection
    await chunk_rows.lock_exchange(connection, venue.name)
    standing = await chunk_rows.in_flight(connection, venue.name, now)
    credit = max(0, venue.in_flight_chunks - standing.chunks)
    shares = turns.share(await job_rows.claims(connection, venue.name), credit) if credit else {}
    if not shares and not standing.jobs_due:
        return
    jobs = await job_rows.lock(connection, {*shares, *standing.jobs_due})
    jobs = {job_id: job for job_id, job in jobs.items() if job.status not in TERMINAL}
    if standing.jobs_due:
        await _release_again(transaction, venue.name, jobs, now)
    shares = {job_id: chunks for job_id, chunks in shares.items() if job_id in jobs}
    if shares:
        await _release_new(transaction, jobs, shares, now)


async def _release_again(
    transaction: Transaction, exchange: str, jobs: Mapping[UUID, Job], now: datetime
) -> None:
    """Give out anew what was not fetched within its lease, or whose wait is over."""
    due = await chunk_rows.due(transaction.connection, exchange, now, jobs)
    chunks = [again(one, now) for one in due]
    await chunk_rows.release_again(transaction.connection, chunks)
    _request(transaction, chunks, jobs, now)


async def _release_new(
    transaction: Transaction,
    jobs: Mapping[UUID, Job],
    shares: Mapping[UUID, int],
    now: datetime,
) -> None:
    connection = transaction.connection
    queues = await task_rows.next_in_line(connection, shares)
    taken = {
        TaskKey(job_id, task_id): chunks
        for job_id, line in queues.items()
        for task_id, chunks in take_turns(line, shares[job_id]).items()
    }
    await _start(transaction, jobs, taken, now)
    stretches = await task_rows.take(connection, taken)
    chunks = [chunk for part in stretches for chunk in cut(part, jobs[part.job_id], now)]
    await chunk_rows.insert(connection, chunks, {i: job.exchange for i, job in jobs.items()})
    await job_rows.count_released(connection, Counter(chunk.job_id for chunk in chunks))
    _request(transaction, chunks, jobs, now)


def _request(
    transaction: Transaction, chunks: Iterable[Released], jobs: Mapping[UUID, Job], now: datetime
) -> None:
    for chunk in chunks:
        transaction.say(*requests(chunk, jobs[chunk.job_id], now))


async def _start(
    transaction: Transaction,
    jobs: Mapping[UUID, Job],
    tasks: Iterable[TaskKey],
    now: datetime,
) -> None:
    """Tasks, and their jobs, run from their first chunk on."""
    connection = transaction.connection
    begun = await task_rows.queued(connection, tasks)
    running = moved(Status.QUEUED, Action.START)
    for job_id in dict.fromkeys(task.job_id for task in begun):
        job = jobs[job_id]
        if job.status is Status.QUEUED:
            await job_rows.move(connection, job, running)
            transaction.say(announcing.job_changed(job, running, now))
    for task in await task_rows.move(connection, dict.fromkeys(begun, running)):
        transaction.say(announcing.task_changed(task, now))
