"""Chunks go out, as far as there is credit for their exchange and their route."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.market.profile import ExchangeProfile
from candlelog.market.states import Action, Status
from candlelog.stores.postgres import Connection
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import chunk_rows, job_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.domain import announcing
from coordinator.domain.fairness import DeficitRoundRobin, take_turns
from coordinator.domain.jobs import Job, moved
from coordinator.domain.releasing import Released, again, cut, requests
from coordinator.domain.routes import Route

_COMPUTED_AT_ONCE: Final = 100
"""Feature chunks in flight: some tens of seconds of work, and what a cancelled job may waste."""
_READ_AT_ONCE: Final = 12
"""Files in flight, of an archive of millions of rows or of some hundreds."""
_GOING_ON: Final = frozenset({Status.QUEUED, Status.RUNNING})


@dataclass(frozen=True, slots=True)
class Lane:
    """A route of an exchange: its credit, and whose turn it is."""

    exchange: str
    route: Route
    in_flight: int
    turns: DeficitRoundRobin = field(default_factory=DeficitRoundRobin)


class Releases:
    """Releases chunks, exchange by exchange and route by route.

    Credit is what may be in flight, less the chunks that are released and of which something is
    awaited: a slow store slows the release. Of fetch chunks the profile says how many may be; what
    is computed, or read from files, costs no budget of the venue, and takes none of that credit.
    What goes on after a stop takes credit as what is new does, and comes before it. One coordinator
    at a time does this for an exchange. Features go first: thereby the log has the wish for those
    of a series before its candles.
    """

    def __init__(
        self, transactions: Transactions, venues: Sequence[ExchangeProfile], clock: Clock
    ) -> None:
        self._transactions = transactions
        self._lanes: Final = [lane for venue in venues for lane in _lanes(venue)]
        self._clock = clock

    async def step(self) -> bool:
        """Release all there is credit for; never more at once. Raises `Unavailable`."""
        async with self._transactions.begin() as transaction:
            open_lanes = await job_rows.open_lanes(transaction.connection)
        for lane in self._lanes:
            if (lane.exchange, lane.route) in open_lanes:
                async with self._transactions.begin() as transaction:
                    await _release(transaction, lane, self._clock.now())
        return False


def _lanes(venue: ExchangeProfile) -> list[Lane]:
    lanes = [
        Lane(venue.name, Route.FEATURES, _COMPUTED_AT_ONCE),
        Lane(venue.name, Route.REST, venue.in_flight_chunks),
    ]
    if venue.archive is not None:
        lanes.append(Lane(venue.name, Route.ARCHIVE, _READ_AT_ONCE))
    return lanes


async def _release(transaction: Transaction, lane: Lane, now: datetime) -> None:
    connection = transaction.connection
    await chunk_rows.lock_exchange(connection, lane.exchange)
    standing = await chunk_rows.in_flight(connection, lane.exchange, lane.route, now)
    credit = max(0, lane.in_flight - standing.chunks)
    shares: Mapping[UUID, int] = {}
    if credit:
        claims = await job_rows.claims(connection, lane.exchange, lane.route, credit=credit)
        shares = lane.turns.share(claims, credit)
    if not shares and not standing.jobs_due:
        return
    jobs = await job_rows.lock(connection, {*shares, *standing.jobs_due})
    jobs = {job_id: job for job_id, job in jobs.items() if job.status in _GOING_ON}
    shares = {job_id: chunks for job_id, chunks in shares.items() if job_id in jobs}
    due = await chunk_rows.due(
        connection, lane.exchange, lane.route, job_ids=jobs.keys() & standing.jobs_due, now=now
    )
    ready = await chunk_rows.ready(connection, shares, lane.route)
    shares = Counter(shares) - Counter(one.chunk.job_id for one in ready)
    taken = await _taken(connection, shares, lane.route)
    repeated = [again(one, jobs[one.chunk.job_id], now) for one in (*due, *ready)]
    await _start(transaction, jobs, [*map(_task_of, repeated), *taken], now)
    if repeated:
        await chunk_rows.release_again(connection, repeated)
    new = await _cut(connection, taken, lane.route, jobs=jobs, now=now) if taken else []
    for chunk in (*repeated, *new):
        transaction.say(*requests(chunk, jobs[chunk.job_id], now))


async def _taken(
    connection: Connection, shares: Mapping[UUID, int], route: Route
) -> dict[TaskKey, int]:
    """How many chunks of which tasks are released for the first time."""
    queues = await task_rows.next_in_line(connection, shares, route)
    return {
        TaskKey(job_id, task_id): chunks
        for job_id, line in queues.items()
        for task_id, chunks in take_turns(line, shares[job_id]).items()
    }


async def _cut(
    connection: Connection,
    taken: Mapping[TaskKey, int],
    route: Route,
    *,
    jobs: Mapping[UUID, Job],
    now: datetime,
) -> list[Released]:
    """The next chunks of these tasks, which are written."""
    stretches = await task_rows.take(connection, taken, route)
    chunks = [chunk for part in stretches for chunk in cut(part, jobs[part.job_id], now)]
    await chunk_rows.insert(connection, chunks, {i: job.exchange for i, job in jobs.items()})
    await job_rows.count_released(connection, Counter(chunk.job_id for chunk in chunks), route)
    return chunks


def _task_of(chunk: Released) -> TaskKey:
    return TaskKey(chunk.job_id, chunk.task_id)


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
