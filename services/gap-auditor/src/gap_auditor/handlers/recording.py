"""Gaps that changed: into their rows, and the news of it."""

from collections.abc import Sequence, Set
from datetime import datetime
from uuid import UUID

from candlelog.stores.transactions import Transaction
from gap_auditor.adapters import gap_rows
from gap_auditor.domain import announcing
from gap_auditor.domain.gaps import Gap


async def record(
    transaction: Transaction, gaps: Sequence[Gap], *, known: Set[UUID], at: datetime
) -> None:
    """Write gaps as they are now and say so; `known` were open before."""
    if not gaps:
        return
    versions = await gap_rows.write(transaction.connection, gaps, at)
    for gap in gaps:
        say = announcing.changed if gap.gap_id in known or not gap.open else announcing.opened
        transaction.say(say(gap, versions[gap.gap_id], at))
