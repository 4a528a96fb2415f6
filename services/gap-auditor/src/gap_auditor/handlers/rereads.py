"""What was read too early to be final is asked for again."""

from dataclasses import replace
from typing import Final

from candlelog.clock import Clock
from candlelog.stores.transactions import Transactions
from gap_auditor.adapters import reread_rows
from gap_auditor.domain.settling import LEASE, MOST_TRIES, jobs

_AT_ONCE: Final = 1000


class Rereads:
    """Submits jobs for what is due."""

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock

    async def step(self) -> bool:
        """Ask for what is due; whether there may be more of it. Raises `Unavailable`."""
        at = self._clock.now()
        async with self._transactions.begin() as transaction:
            due = await reread_rows.due(transaction.connection, at, _AT_ONCE)
            await reread_rows.drop(
                transaction.connection, [each for each in due if each.tries >= MOST_TRIES]
            )
            for job, part in jobs((each for each in due if each.tries < MOST_TRIES), at):
                transaction.say(job)
                asked = [
                    replace(each, due_at=at + LEASE, tries=each.tries + 1, job_id=job.job_id)
                    for each in part
                ]
                await reread_rows.write(transaction.connection, asked)
        return len(due) == _AT_ONCE
