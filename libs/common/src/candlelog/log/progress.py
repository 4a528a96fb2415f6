"""How far each partition may be committed while its records are handled in any order."""

from collections import deque
from collections.abc import Iterable, Mapping

from candlelog.log.types import Partition, Record


class Progress:
    """Records taken and done, per partition.

    A position moves past a record once it and all taken before it are done. Offsets that never
    came (markers of transactions, compaction) are holes, not losses.
    """

    def __init__(self) -> None:
        self._taken: dict[Partition, deque[int]] = {}
        self._done: dict[Partition, set[int]] = {}
        self._positions: dict[Partition, int] = {}

    def take(self, records: Iterable[Record]) -> None:
        """These records are in hand from now on; in order within each partition."""
        for record in records:
            self._taken.setdefault(record.partition, deque()).append(record.offset)

    def finish(self, records: Iterable[Record]) -> None:
        """The effects of these records are durable."""
        touched: set[Partition] = set()
        for record in records:
            self._done.setdefault(record.partition, set()).add(record.offset)
            touched.add(record.partition)
        for partition in touched:
            self._advance(partition)

    def positions(self) -> Mapping[Partition, int]:
        """Positions that have moved and were not committed yet."""
        return dict(self._positions)

    def committed(self, positions: Mapping[Partition, int]) -> None:
        """These positions are stored."""
        for partition, position in positions.items():
            if self._positions.get(partition) == position:
                del self._positions[partition]

    def forget(self) -> None:
        """The partitions were taken away: what is in hand, and what it reached, counts no more."""
        self._taken.clear()
        self._done.clear()
        self._positions.clear()

    def _advance(self, partition: Partition) -> None:
        taken = self._taken.get(partition, deque())
        done = self._done[partition]
        while taken and taken[0] in done:
            offset = taken.popleft()
            done.remove(offset)
            self._positions[partition] = offset + 1
