"""Repairs that were asked for: their gaps are being filled."""

from collections.abc import Sequence
from typing import Final

from candlelog.clock import Clock
from candlelog.events.jobs import FillGapsV1
from candlelog.log.outcome import CONSUMED, Done, Outcome, Skip
from candlelog.log.types import Received
from candlelog.stores.transactions import Transactions
from gap_auditor.adapters import gap_rows, task_rows
from gap_auditor.domain.gaps import asked
from gap_auditor.handlers.recording import record

_DONE: Final = Done()
_NOT_OURS: Final = Skip("asks for no repair")


class Repairs:
    """Handles records of `jobs.commands`."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each command. Raises `Unavailable`; what was noted stays noted."""
        outcomes: list[Outcome] = []
        for one in received:
            if isinstance(one.event, FillGapsV1):
                outcomes.append(await self._repair(one, one.event))
            else:
                outcomes.append(_NOT_OURS)
        return outcomes

    async def _repair(self, received: Received, command: FillGapsV1) -> Outcome:
        """Progress may have been read further than the commands: the job may have ended by now."""
        async with self._transactions.begin() as transaction:
            connection = transaction.connection
            if not all(await transaction.fresh([received])):
                return CONSUMED
            ended = await task_rows.lock_job(connection, command.job_id)
            found = await gap_rows.asked(connection, command)
            await gap_rows.lock(connection, {gap.series for gap in found})
            gaps = [
                asked(gap, command.job_id, ended=ended)
                for gap in await gap_rows.asked(connection, command)
            ]
            known = {gap.gap_id for gap in gaps}
            await record(transaction, gaps, known=known, at=self._clock.now())
        return _DONE
