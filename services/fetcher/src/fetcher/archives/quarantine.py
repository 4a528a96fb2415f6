"""Lines of a file that are no candles, until the part that they belong to tells of them."""

from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter
from typing import Final

from candlelog.events.candles import QuarantinedRow
from fetcher.archives.lines import Refused

MOST_WAITING: Final = 1000


class Quarantine:
    """At most `MOST_WAITING` lines wait at a time; what is more is counted, and a row says so."""

    def __init__(self) -> None:
        self.count = 0
        self._waiting: list[Refused] = []
        self._left_out = 0

    def add(self, refused: Iterable[Refused]) -> None:
        """Take in what was found in the next lines."""
        new = list(refused)
        self.count += len(new)
        room = MOST_WAITING - len(self._waiting)
        self._waiting += new[:room]
        self._left_out += len(new[room:])

    def due(self, line: int, end: datetime) -> tuple[QuarantinedRow, ...]:
        """What a part tells of that ends with this line, before `end`. A row that says to open
        later waits for the part in which it would lie.
        """

        def is_due(refused: Refused) -> bool:
            time = refused.row.open_time
            return refused.line <= line and (time is None or time < end)

        due = [refused for refused in self._waiting if is_due(refused)]
        self._waiting = [refused for refused in self._waiting if not is_due(refused)]
        return self._told(due)

    def rest(self) -> tuple[QuarantinedRow, ...]:
        """What the last part tells of: all that is left."""
        left, self._waiting = self._waiting, []
        return self._told(left)

    def _told(self, refused: list[Refused]) -> tuple[QuarantinedRow, ...]:
        rows = [row for _, row in sorted(refused, key=attrgetter("line"))]
        if self._left_out:
            more = f"{self._left_out:,} more lines are not kept"
            rows.append(QuarantinedRow(raw=more, reason="too_many"))
        self._left_out = 0
        return tuple(rows)
