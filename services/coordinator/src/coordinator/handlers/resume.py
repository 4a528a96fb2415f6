"""What a coordinator does before it begins."""

from datetime import timedelta
from typing import Final

from candlelog.clock import Clock
from candlelog.stores.transactions import Transactions
from coordinator.adapters import chunk_rows, job_rows, task_rows
from coordinator.domain import announcing

_CATCH_UP: Final = timedelta(seconds=15)


async def resume(transactions: Transactions, clock: Clock) -> None:
    """Take up the jobs that are not over: say again what workers may do for them.

    Leases that ended while no coordinator ran are given time: most of those chunks were fetched,
    and the events that say so are still to be read. Raises `Unavailable`.
    """
    async with transactions.begin() as transaction:
        open_jobs = await job_rows.lock_unfinished(transaction.connection)
        await chunk_rows.renew_leases(transaction.connection, clock.now() + _CATCH_UP)
        stopped = await task_rows.stopped(transaction.connection, [job.job_id for job in open_jobs])
        transaction.say(*(announcing.control(job, stopped[job.job_id]) for job in open_jobs))
