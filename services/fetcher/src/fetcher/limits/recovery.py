"""What a new allocator must know before it grants: the newest part of the ledger."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from candlelog.events.codec import UndecodableError
from candlelog.events.limits import (
    AllocatorAliveV1,
    AllocatorStartedV1,
    BackoffDeclaredV1,
    BudgetGrantedV1,
    WindowOpenedV1,
)
from candlelog.log.ports import Log
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Record
from fetcher.domain.ledger import LedgerBook

FAR_ENOUGH: Final = timedelta(minutes=2)
"""Two windows: the one that is open began less than one ago."""
_PAUSE: Final = timedelta(seconds=5)
"""Between two entries; more than that was no work."""
_FIRST_SPAN: Final = 1000
_GROWTH: Final = 4
_BATCH: Final = 500
_POLL_SECONDS: Final = 0.5

_Entry = (
    AllocatorStartedV1 | AllocatorAliveV1 | WindowOpenedV1 | BudgetGrantedV1 | BackoffDeclaredV1
)


async def recover(log: Log, topic: str, end: int) -> LedgerBook:
    """Read the ledger up to `end`, as far back as `FAR_ENOUGH`. May raise `Unavailable`.

    That is enough, and it does not grow with the ledger:

    - Grants, probes among them, are worth nothing after their window, slots some seconds later. A
      budget of which no window is found there has none that is open: what was granted of it has
      expired.
    - A backoff may outlast that by days. Therefore an allocator says all of those in force again
      with its first entries and then every `STATED_EVERY`, whatever budget the entries are of;
      what it stops saying while nobody wants anything is said again with the next entry.

    "Far" is how long the allocators read of were at work, each by its own clock and without its
    pauses: clocks that disagree, or that are set, bring nobody to stop too early. One that only
    began has stated nothing, and counts for nothing.
    """
    span = _FIRST_SPAN
    while True:
        begin = max(0, end - span)
        part = await _read(log, Partition(topic, 0), begin, end)
        if begin == 0 or part.at_work >= FAR_ENOUGH:
            return part.book
        span *= _GROWTH


@dataclass(slots=True)
class _Part:
    """A part of the ledger, folded."""

    book: LedgerBook = field(default_factory=LedgerBook)
    at_work: timedelta = timedelta()
    _wrote_at: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])

    def take(self, record: Record) -> None:
        """Fold one record; whatever cannot be read grants nothing."""
        try:
            event = receive(record).event
        except UndecodableError:
            return
        if isinstance(event, _Entry):
            self.book.apply(event, record.offset)
            since = record.appended_at - self._wrote_at.get(event.allocator, record.appended_at)
            self.at_work += min(max(since, timedelta()), _PAUSE)
            self._wrote_at[event.allocator] = record.appended_at


async def _read(log: Log, partition: Partition, begin: int, end: int) -> _Part:
    part = _Part()
    async with log.tail([partition.topic], start={partition: begin}) as tail:
        while (await tail.positions())[partition] < end:
            for record in await tail.poll(max_records=_BATCH, timeout=_POLL_SECONDS):
                if record.offset < end:
                    part.take(record)
            await asyncio.sleep(0)  # what was fetched ahead is handed out without waiting
    return part
