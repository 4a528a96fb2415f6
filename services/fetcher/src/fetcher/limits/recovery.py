"""What a new allocator must know before it grants: the ledger, back to the window that is open."""

from collections.abc import Collection, Sequence
from typing import Final

from candlelog.events.codec import UndecodableError
from candlelog.events.event import Event
from candlelog.log.ports import Log
from candlelog.log.receive import receive
from candlelog.log.types import Partition, Record
from fetcher.domain.ledger import LedgerBook

_FIRST_SPAN: Final = 1000
_GROWTH: Final = 4
_POLL_SECONDS: Final = 0.5


async def recover(log: Log, topic: str, end: int, budgets: Collection[str]) -> LedgerBook:
    """Read the ledger up to `end`, far enough back to hold the last window of every budget.

    A budget no window was ever opened for takes the reading back to the beginning. May raise
    `Unavailable`.
    """
    span = _FIRST_SPAN
    while True:
        begin = max(0, end - span)
        book = _folded(await _read(log, Partition(topic, 0), begin, end))
        if begin == 0 or all(book.page(budget).window is not None for budget in budgets):
            return book
        span *= _GROWTH


def _folded(records: Sequence[Record]) -> LedgerBook:
    book = LedgerBook()
    for record in records:
        try:
            event = receive(record).event
        except UndecodableError:
            continue  # whatever it is, it grants nothing
        if isinstance(event, Event):
            book.apply(event, record.offset)
    return book


async def _read(log: Log, partition: Partition, begin: int, end: int) -> Sequence[Record]:
    found: list[Record] = []
    async with log.tail([partition.topic], start={partition: begin}) as tail:
        while (await tail.positions())[partition] < end:
            found += await tail.poll(max_records=5000, timeout=_POLL_SECONDS)
    return [record for record in found if record.offset < end]
