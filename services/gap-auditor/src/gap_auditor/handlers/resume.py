"""What an auditor does before it begins."""

from datetime import datetime
from typing import Final

from candlelog.clock import Clock
from candlelog.events.fields import EARLIEST
from candlelog.market.series import Series
from candlelog.stores.transactions import Transactions
from gap_auditor.adapters import gap_rows
from gap_auditor.domain import announcing

_PAGE: Final = 1000


async def resume(transactions: Transactions, clock: Clock) -> None:
    """Tell of every open gap again: the topic does not keep for ever what was said of them.

    Raises `Unavailable`.
    """
    place: tuple[Series, datetime] | None = (Series("", "", ""), EARLIEST)
    while place is not None:
        async with transactions.begin() as transaction:
            found = await gap_rows.following(transaction.connection, *place, _PAGE)
            transaction.say(
                *(announcing.changed(gap, version, clock.now()) for gap, version in found)
            )
        last = found[-1][0] if len(found) == _PAGE else None
        place = last and (last.series, last.start)
