"""Dry runs: what a job would do is told to whoever asked, and nothing is kept."""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Final

import structlog

from candlelog.clock import Clock
from candlelog.errors import Invalid, Unavailable
from candlelog.events.event import Event
from candlelog.events.jobs import PlanJobV1, SubmitJobV1
from candlelog.events.progress import PlanAnsweredV1
from candlelog.log.outcome import CONSUMED, Done, Outcome
from candlelog.log.types import Received
from candlelog.market.profile import profile
from candlelog.stores.transactions import Transactions
from coordinator.adapters import feature_rows
from coordinator.adapters.listings import Listings
from coordinator.domain import announcing
from coordinator.domain.planning import Known, plan_job
from coordinator.domain.submission import check, series_of
from coordinator.handlers.submit import seen
from coordinator.ports import Coverage

WAITED_SECONDS: Final = 20.0
"""Who asked for a plan gives up then: the status API, in its `handlers/plans.py`."""
WAITING: Final = 100
"""Plans that may wait for their turn; of more the oldest go, which are given up first."""
_LOGGER: Final = structlog.get_logger()


class Plans:
    """Takes wishes for plans, and makes them in steps of their own: for that ClickHouse is read,
    for which no command waits.

    What waits is kept in memory, and lost with the process: by the time another one has begun, who
    asked has given up.
    """

    def __init__(
        self,
        transactions: Transactions,
        coverage: Coverage,
        listings: Listings,
        clock: Clock,
        *,
        asked: asyncio.Event,
    ) -> None:
        self._transactions = transactions
        self._coverage = coverage
        self._listings = listings
        self._clock = clock
        self._asked = asked
        self._waiting = deque[SubmitJobV1]()

    async def ask(self, received: Received, asked: PlanJobV1) -> Outcome:
        """Take a wish, or say what rule the job would break. Raises `Unavailable`."""
        job = asked.job
        async with self._transactions.begin() as transaction:
            if not all(await transaction.fresh([received])):
                return CONSUMED
            try:
                check(job, self._listings.names)
            except Invalid as error:
                transaction.say(self._refusal(job, error))
                return Done()
        if len(self._waiting) >= WAITING:
            self._not_made(self._waiting.popleft(), "too many are waited for")
        self._waiting.append(job)
        self._asked.set()
        return Done()

    async def step(self) -> bool:
        """Make the plan that has waited longest; True where one waited. Several steps may be taken
        at once. Raises `Unavailable` without Postgres, and it waits on.

        A look at ClickHouse is not broken off, only disregarded when it comes too late: its threads
        would go on, and a next look take more of them.
        """
        if not self._waiting:
            return False
        job = self._waiting.popleft()
        try:
            known = await self._seen(job)
        except Unavailable as error:
            self._not_made(job, str(error))
            return True
        if known is None or self._given_up(job):
            self._not_made(job, "who asked has given up")
            return True
        try:
            await self._answer(job, known)
        except Unavailable:
            self._waiting.appendleft(job)
            raise
        return True

    async def _seen(self, job: SubmitJobV1) -> Known | Invalid | None:
        """What is known of its series, or why nothing can be; None where nobody waits for it."""
        if self._given_up(job):
            return None
        try:
            return await seen(
                self._transactions, self._coverage, self._listings, job, now=self._clock.now()
            )
        except Invalid as error:
            return error

    def _refusal(self, job: SubmitJobV1, error: Invalid) -> PlanAnsweredV1:
        return PlanAnsweredV1(job_id=job.job_id, refused=str(error), answered_at=self._clock.now())

    def _given_up(self, job: SubmitJobV1) -> bool:
        return (self._clock.now() - job.submitted_at).total_seconds() >= WAITED_SECONDS

    def _not_made(self, job: SubmitJobV1, reason: str) -> None:
        _LOGGER.warning("no_plan", plan_id=str(job.job_id), reason=reason)

    async def _answer(self, job: SubmitJobV1, known: Known | Invalid) -> None:
        venue, now = profile(job.exchange), self._clock.now()
        if isinstance(known, Invalid):
            events: list[Event] = [self._refusal(job, known)]
        else:
            known = await self._as_if_asked(job, known)
            plans = await asyncio.to_thread(plan_job, job, venue, known, now)
            answers = announcing.answers(job.job_id, plans, weight=venue.weights["klines"], now=now)
            events = await asyncio.to_thread(list, answers)
        async with self._transactions.begin() as transaction:
            transaction.say(*events)

    async def _as_if_asked(self, job: SubmitJobV1, known: Known) -> Known:
        """What would be known of features if the job had asked for them."""
        series = series_of(job)
        async with self._transactions.begin() as transaction:
            marks = await feature_rows.marks(transaction.connection, series)
            pending = await feature_rows.pending(transaction.connection, series)
        new = dict.fromkeys(job.feature_sets, False)
        return replace(
            known, marks={each: new | dict(marks.get(each, {})) for each in series}, pending=pending
        )
