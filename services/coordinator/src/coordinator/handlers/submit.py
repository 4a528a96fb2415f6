"""A submitted job is taken, or fails with the reason; then it becomes tasks."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from candlelog.clock import Clock
from candlelog.errors import Invalid, Unavailable
from candlelog.events.jobs import FillGapsV1, ReplayFeaturesV1
from candlelog.log.outcome import CONSUMED, Done, Outcome
from candlelog.log.types import Received
from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import (
    feature_rows,
    file_rows,
    job_rows,
    replay_rows,
    submission_rows,
)
from coordinator.adapters.listings import Listings
from coordinator.domain import announcing
from coordinator.domain.archived import Archived, changed, judged
from coordinator.domain.jobs import TO_PLAN
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.repairs import plan_repair
from coordinator.domain.submission import (
    NewJobCommand,
    Submission,
    check,
    series_of,
    sets_of,
    wanted_of_files,
)
from coordinator.handlers.accepting import KNOWN, fail, queue, refuse, take, to_plan
from coordinator.handlers.replays import Replays
from coordinator.ports import Coverage

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
        replays: Replays,
        *,
        listings: Listings,
        clock: Clock,
        releasable: asyncio.Event,
    ) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._replays = replays
        self._listings = listings
        self._clock = clock
        self._releasable = releasable
        self._in_vain = set[UUID]()

    async def submit(self, received: Received, command: NewJobCommand) -> Outcome:
        """Take the job of a command, to be planned. Raises `Unavailable`."""
        now = self._clock.now()
        try:
            check(command, self._listings.names)
        except Invalid as error:
            return await refuse(self._transactions, received, command, reason=str(error), now=now)
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
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
            await self._plan(command)
        except Unavailable as error:
            _LOGGER.warning("not_planned", job_id=str(command.job_id), reason=str(error))
            self._in_vain.add(command.job_id)
        return True

    async def hurry(self, received: Received, job_id: UUID) -> None:
        """Plan a job before its turn, if it waits and that can be done now: its tasks are asked
        for. Not for a command that comes again: it was answered by what there was."""
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_HURRY_SECONDS):
                async with self._transactions.begin() as transaction:
                    if await transaction.consumed(received):
                        return
                    job = (await job_rows.lock(transaction.connection, [job_id])).get(job_id)
                    command = await submission_rows.of_job(transaction.connection, job_id)
                if command is not None and job is not None and job.status in TO_PLAN:
                    await self._plan(command)

    async def _plan(self, command: NewJobCommand) -> None:
        match command:
            case ReplayFeaturesV1():
                await self._replays.plan(command)
            case _:
                await self._queue(command)
        self._releasable.set()

    async def _queue(self, command: Submission) -> None:
        venue, now = profile(command.exchange), self._clock.now()
        try:
            check(command, self._listings.names)  # which may be others since it was submitted
            known = await seen(self._transactions, self._coverage, self._listings, command, now=now)
        except Invalid as error:
            await fail(self._transactions, command, reason=str(error), now=now)
            return
        async with self._transactions.begin() as transaction:
            job = await to_plan(transaction, command.job_id)
            if job is None:
                return
            known = await _with_features(transaction, command, known)
            plans = await asyncio.to_thread(_plan, command, venue, known, now)
            await queue(transaction, job, plans, now)


async def seen(
    transactions: Transactions,
    coverage: Coverage,
    listings: Listings,
    command: Submission,
    *,
    now: datetime,
) -> Known:
    """What coverage knows of the series of a command that was checked, and which files there are. A
    repair asks for its gaps whatever coverage is.

    Raises `Unavailable`, and `Invalid` where an archive cannot be looked through.
    """
    known = Known(archived=await _archived(transactions, listings, command))
    if isinstance(command, FillGapsV1):
        return known
    series = (command.exchange, command.symbols, command.timeframes)
    if command.incremental:
        covered = await coverage.explained(
            *series, window=TimeRange(command.start, command.end), now=now
        )
        known = replace(known, covered=covered)
    if command.feature_sets:
        known = replace(known, stored=await coverage.stored(*series))
    return known


async def _archived(
    transactions: Transactions, listings: Listings, command: Submission
) -> Archived | None:
    """The files that there are, and what the ledger says of them; None without an archive."""
    venue, windows = profile(command.exchange), wanted_of_files(command)
    archived = await listings.look(venue, windows) if windows else None
    if archived is None or venue.archive is None:
        return None
    name, files = venue.archive.name, archived.files.values()
    async with transactions.begin() as transaction:
        paths = [file.ref.path for held in files for file in held]
        known = await file_rows.noted(transaction.connection, name, paths)
    if not isinstance(command, FillGapsV1) and not command.incremental:
        known = {path: each._replace(read=None) for path, each in known.items()}
    sums = await listings.sums(name, changed(archived, known))
    return judged(archived, known, sums)


async def _with_features(transaction: Transaction, command: Submission, known: Known) -> Known:
    """What was seen, and what is known of features; the series have the sets asked for by now."""
    connection, series = transaction.connection, series_of(command)
    if sets := sets_of(command):
        await replay_rows.lock(connection)
        if marked := await feature_rows.mark(connection, series, sets, command.job_id):
            again = await replay_rows.reopen(connection, marked)
            transaction.say(*map(announcing.reopened, again))
    return replace(
        known,
        marks=await feature_rows.marks(connection, series),
        pending=await feature_rows.pending(connection, series),
    )


def _plan(
    command: Submission, venue: ExchangeProfile, known: Known, now: datetime
) -> list[TaskPlan]:
    if isinstance(command, FillGapsV1):
        return plan_repair(command, venue, known.marks, now, archived=known.archived)
    return plan_job(command, venue, known, now)
