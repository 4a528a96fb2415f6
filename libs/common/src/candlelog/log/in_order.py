"""Records of several partitions in the order in which they were appended."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from candlelog.errors import Unavailable
from candlelog.log.ports import Consumer, Release
from candlelog.log.types import Partition, Record

_AHEAD: Final = 1000
"""Records that wait at most; a client gives one partition after the other, as far as it has them,
so that of what was appended in turns the order is only seen in many."""


class InOrder:
    """A `Consumer` that reads ahead, and hands out the oldest of what it has.

    For work in small steps that was put on the log in the order in which it is wanted. What waits
    when partitions are taken away is forgotten: it comes again to whom it belongs then.
    """

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._waiting: list[Record] = []

    @property
    def lag(self) -> int:
        """Records between what was committed and the ends of the partitions held, as last seen."""
        return self._consumer.lag

    async def poll(self, *, max_records: int, timeout: float) -> Sequence[Record]:  # noqa: ASYNC109 - part of the port
        """The oldest records that were not handed out."""
        room = _AHEAD - len(self._waiting)
        if room > 0:
            patience = 0.0 if self._waiting else timeout
            try:
                found = await self._consumer.poll(max_records=room, timeout=patience)
            except Unavailable:
                if not self._waiting:
                    raise
            else:
                self._waiting = _in_order([*self._waiting, *found])
        oldest, self._waiting = self._waiting[:max_records], self._waiting[max_records:]
        return oldest

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """Store the positions of the partitions still held."""
        await self._consumer.commit(positions)

    def before_revoke(self, release: Release) -> None:
        """Have `release` called before partitions are taken away."""
        self._consumer.before_revoke(lambda: self._forget(release))

    def _forget(self, release: Release) -> Awaitable[None]:
        self._waiting.clear()
        return release()


def _in_order(records: Iterable[Record]) -> list[Record]:
    """By time, but never out of the order of a partition, whose producers' clocks may differ."""
    latest: dict[Partition, datetime] = {}
    timed: list[tuple[datetime, Record]] = []
    for record in records:
        at = max(record.appended_at, latest.get(record.partition, record.appended_at))
        latest[record.partition] = at
        timed.append((at, record))
    return [record for _, record in sorted(timed, key=lambda each: each[0])]
