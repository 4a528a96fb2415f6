"""Between the lines of a file and its parts: rows that are in none yet, and refused lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.events.candles import CANDLE_SCHEMA
from candlelog.events.fields import EARLIEST, LATEST
from candlelog.market.candles import Mask, faults
from candlelog.market.pages import Layout, Page
from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe, from_milliseconds, milliseconds
from fetcher.archives.lines import Block, Refused
from fetcher.archives.order import Order
from fetcher.archives.quarantine import Quarantine

_ALL_TIMES: Final = TimeRange(EARLIEST, LATEST)
_DISORDER: Final = "not_increasing"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of a file: its candles of `timeframe` that open in `window`.

    `named` is the period that its name says, if it says one: a row beside that is refused. Other
    rows beside the window are passed over. `is_dense`: its market has a candle of each slot.
    """

    layouts: Sequence[Layout]
    timeframe: Timeframe
    window: TimeRange
    named: TimeRange | None = None
    is_dense: bool = False


class Sieve:
    """Takes lines in their order, and gives rows in order of time."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._named = wanted.named or _ALL_TIMES
        self._order = Order()
        self._quarantine = Quarantine()
        self._rows = pa.RecordBatch.from_pylist([], schema=CANDLE_SCHEMA)
        self._lines = np.empty(0, dtype=np.int64)
        self._loose = np.empty(0, dtype=np.bool_)
        self._untimed = np.empty(0, dtype=np.int64)
        self._newest: tuple[Block, int] | None = None
        self.holds_candles = False
        """Whether a line so far was one, in the window or not."""
        self.before: int | None = None
        self.after: int | None = None
        """Open times of those next to the window that were passed over, in milliseconds."""

    @property
    def waiting(self) -> int:
        """Rows that are in no part yet. The newest of them may be refused for the next one."""
        return len(self._lines)

    @property
    def refused(self) -> int:
        """Lines that were refused, of all so far."""
        return self._quarantine.count

    def take(self, block: Block) -> None:
        """Take in the next lines."""
        times = block.columns.open_time
        reasons = faults(block.columns, self._named, self._wanted.timeframe)
        elsewhere = _inside(times, self._named) & ~_inside(times, self._wanted.window)
        # Of rows in disorder `faults` refuses more than stand in the wrong place.
        fine = ((reasons == None) | (reasons == _DISORDER)) & ~elsewhere  # noqa: E711
        self.holds_candles |= bool(fine.any() or elsewhere.any())
        self._pass_over(times[elsewhere])
        keep = fine.copy()
        keep[fine], taken_back = self._order.keep(times[fine])
        if taken_back:
            self._take_back()
        self._quarantine.add(line for line in block.malformed if not self._is_elsewhere(line))
        refused = np.flatnonzero(~keep & ~elsewhere).tolist()
        self._quarantine.add(block.refused(row, reasons[row] or _DISORDER) for row in refused)
        kept = np.flatnonzero(keep)
        self._note_untimed(block, block.first + block.places[kept])
        if len(kept):
            self._rows = pa.concat_batches([self._rows, block.columns.to_batch(keep)])
            self._lines = np.concatenate([self._lines, block.first + block.places[kept]])
            self._newest = block, int(kept[-1])

    def part(self, size: int) -> tuple[Page, datetime]:
        """The first `size` of more rows, with what was refused up to there; where the slot after
        them begins.
        """
        rows, line = self._rows.slice(0, size), int(self._lines[size - 1])
        last = from_milliseconds(rows.column("open_time")[size - 1].value)
        end = self._wanted.timeframe.advance(last, 1)
        self._rows, self._lines = self._rows.slice(size), self._lines[size:]
        self._loose = self._loose[size:]
        return Page(rows, self._quarantine.due(line, end)), end

    @property
    def begins_loose(self) -> bool:
        """Whether lines that tell no time stand right before the first row that waits, or, where
        none does, behind all: they may be of the slots in between."""
        return bool(self._loose[0]) if len(self._loose) else self.ends_loose

    @property
    def ends_loose(self) -> bool:
        """Whether lines that tell no time stand behind the newest row."""
        return len(self._untimed) > 0

    def before_hole(self, apart: int | None, step: int, *, but_newest: int) -> int | None:
        """How many rows wait before the first that opens `apart` milliseconds, or more, after the
        one before it, or more than `step`, with lines between them that tell no time; None where
        there is none. The newest rows are left out, so many."""
        times = self._rows.column("open_time").cast(pa.int64()).to_numpy()
        steps = np.diff(times[: len(times) - but_newest])
        is_hole = self._loose[1 : len(steps) + 1] & (steps > step)
        if apart is not None:
            is_hole |= steps >= apart
        holes = np.flatnonzero(is_hole)
        return int(holes[0]) + 1 if len(holes) else None

    def rest(self) -> Page:
        """All that is left, with what was refused."""
        return Page(self._rows, self._quarantine.rest())

    def _note_untimed(self, block: Block, kept: NDArray[np.int64]) -> None:
        """Note before which of the rows with these lines, that are kept, others tell no time."""
        lines = [each.line for each in block.malformed if each.row.open_time is None]
        untimed = np.concatenate([self._untimed, np.array(lines, dtype=np.int64)])
        before = np.searchsorted(untimed, kept)
        self._loose = np.concatenate([self._loose, np.diff(before, prepend=0) > 0])
        self._untimed = untimed[before[-1] if len(before) else 0 :]

    def _pass_over(self, times: NDArray[np.int64]) -> None:
        start = milliseconds(self._wanted.window.start)
        before, after = times[times < start], times[times >= start]
        if len(before):
            self.before = max(int(before.max()), self.before or 0)
        if len(after) and self.after is None:
            self.after = int(after.min())

    def _take_back(self) -> None:
        """Refuse the newest row: the next one shows that it was ahead."""
        assert self._newest is not None  # an earlier row is taken back only where one was kept
        block, row = self._newest
        self._quarantine.add([block.refused(row, _DISORDER)])
        self._rows, self._lines = self._rows.slice(0, len(self._rows) - 1), self._lines[:-1]
        if self._loose[-1]:  # and so before the next row
            self._untimed = np.concatenate([[0], self._untimed])
        self._loose = self._loose[:-1]

    def _is_elsewhere(self, refused: Refused) -> bool:
        time, window = refused.row.open_time, self._wanted.window
        if time is None or not self._named.start <= time < self._named.end:
            return False
        return not window.start <= time < window.end


def _inside(times: NDArray[np.int64], window: TimeRange) -> Mask:
    return (times >= milliseconds(window.start)) & (times < milliseconds(window.end))
