"""Tasks that ended are audited: how complete they are, and what gaps they leave."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.log.outcome import Done, Outcome, Skip
from candlelog.log.types import Received
from candlelog.market.profile import profile
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun
from candlelog.market.timeframe import Timeframe
from candlelog.stores.transactions import Transaction, Transactions
from gap_auditor.adapters import gap_rows, reread_rows, task_rows
from gap_auditor.domain import announcing
from gap_auditor.domain.gaps import Gap, given_up
from gap_auditor.domain.questions import Question, questions
from gap_auditor.domain.reconciling import Audit, reconcile
from gap_auditor.domain.settling import after_audit, unsettled
from gap_auditor.domain.tasks import Task, concerns_audits, read
from gap_auditor.handlers.recording import record
from gap_auditor.ports import Slots

_DONE: Final = Done()
_NOT_OURS: Final = Skip("says nothing to the gap auditor")
_MOST_SLOTS: Final = 10_000_000
"""Slots of one question: about half a second of the engine."""


class Audits:
    """Handles records of `progress`.

    The slots of a series are read while its row is locked: whoever writes its gaps last has read
    last. A batch that is stored after the end of its task has the task audited again.
    """

    def __init__(self, transactions: Transactions, slots: Slots, clock: Clock) -> None:
        self._transactions = transactions
        self._slots = slots
        self._clock = clock

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event. Raises `Unavailable`, and then nothing was done."""
        relevant = [one for one in received if concerns_audits(one.event)]
        if relevant:
            async with self._transactions.begin() as transaction:
                fresh = await transaction.fresh(relevant)
                new = [one.event for one, is_new in zip(relevant, fresh, strict=True) if is_new]
                news = read(event for event in new if concerns_audits(event))
                await task_rows.note(transaction.connection, news)
                tasks = await task_rows.ended(transaction.connection, news.stirred_tasks)
                await self._audit(transaction, tasks, news.ended_jobs)
        return [_DONE if concerns_audits(one.event) else _NOT_OURS for one in received]

    async def _audit(
        self, transaction: Transaction, tasks: Sequence[Task], ended_jobs: Set[UUID]
    ) -> None:
        connection = transaction.connection
        filling = await gap_rows.filling(connection, ended_jobs)
        series = {task.series for task in tasks} | {gap.series for gap in filling}
        if not series:
            return
        await gap_rows.lock(connection, series)
        for task in tasks:
            if task.start == task.end:
                transaction.say(announcing.task_audited(task, (), self._clock.now()))
        for question in questions(tasks, most_slots=_MOST_SLOTS):
            await self._answer(transaction, question)
        await self._give_up(transaction, await gap_rows.filling(connection, ended_jobs))

    async def _answer(self, transaction: Transaction, question: Question) -> None:
        at, window = self._clock.now(), question.window
        names = (question.exchange, question.symbols)
        runs = await self._slots.runs(*names, question.timeframe, window)
        gaps = await gap_rows.near(
            transaction.connection, *names, timeframe=question.timeframe, window=window
        )
        known: defaultdict[Series, list[Gap]] = defaultdict(list)
        for gap in gaps:
            known[gap.series].append(gap)
        changed: list[Gap] = []
        for task in question.tasks:
            audit = Audit(task.series, window, runs[task.series], {task.job_id}, at)
            changed += reconcile(known[task.series], audit)
            transaction.say(announcing.task_audited(task, runs[task.series], at))
        await record(transaction, changed, known={gap.gap_id for gap in gaps}, at=at)
        await self._note_early(transaction, question, runs, at)

    async def _note_early(
        self,
        transaction: Transaction,
        question: Question,
        runs: Mapping[Series, Sequence[SlotRun]],
        at: datetime,
    ) -> None:
        """Note what was read too early to be final."""
        delay = timedelta(seconds=profile(question.exchange).settle_delay_seconds)
        timeframe = Timeframe.parse(question.timeframe)
        connection, names = transaction.connection, (question.exchange, question.symbols)
        known = await reread_rows.of_series(connection, *names, timeframe=question.timeframe)
        before = {reread for of_series in known.values() for reread in of_series}
        after = {
            reread
            for task in question.tasks
            for reread in after_audit(
                known.get(task.series, ()),
                task,
                early=unsettled(runs[task.series], timeframe, delay=delay, at=at),
                delay=delay,
                at=at,
            )
        }
        await reread_rows.drop(connection, before - after)
        await reread_rows.write(connection, after - before)

    async def _give_up(self, transaction: Transaction, left: Collection[Gap]) -> None:
        """Repairs that ended before they had a task for these gaps."""
        gaps = [given_up(gap, answered=False) for gap in left]
        known = {gap.gap_id for gap in gaps}
        await record(transaction, gaps, known=known, at=self._clock.now())
