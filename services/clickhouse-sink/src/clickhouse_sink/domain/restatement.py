"""What a batch changes in slots that were asked for before.

The rules: a value that differs from the row and is newer than all that was asked becomes the row,
and the old row moves to the revisions; a value equal to what was believed at its time changes
nothing; a late one goes to the revisions, and what it interrupts is asserted again (`history`).

Why a crash between any two steps, followed by the same batches again, ends in the same tables.
A wave writes revisions, then candles, then quarantine and coverage, then the log hears of it.

- The batches of a wave touch each slot once, and all versions of a slot lie in one partition, so
  an insert writes all that belongs to a slot or nothing of it. A slot is therefore found in one of
  three states: untouched, with its new revisions, or with its new revisions and its new row.
- Everything written is a function of what the slot held and of the batch, never of the moment:
  written twice it is equal in every column, and the tables keep one of equal rows.
- Untouched: computed as the first time.
- New revisions only: those newer than the row are the trace of the cut, since in a finished slot
  no revision is newer than the row; they are left out of the history, which is then as it was
  before. Those older than the row were the whole change, and are found equal at their time.
- With the new row too: the observation is found at its time, or equal to what was believed then.
- Coverage comes last: as long as a batch has none, it is certain to come again, because its offset
  is not committed. A slot without coverage needs no reading: what it may hold was written by this
  very batch, and is written again, equal.
- Other batches of the cut flush can only be later ones of the log: they come again as well, and
  find their own traces by the same reasoning. The next flush waits for its turn (`handlers.turns`):
  none is written before the one that was cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from clickhouse_sink.domain.batches import Batch, Window
from clickhouse_sink.domain.history import Observation, fold
from clickhouse_sink.domain.tables import CANDLE_ROWS, candle_rows, observed_rows

Mask = NDArray[np.bool_]
Milliseconds = NDArray[np.int64]

_NEVER: Final = np.iinfo(np.int64).min
_VALUES: Final = ("open", "high", "low", "close", "volume", "quote_volume", "trades")


@dataclass(frozen=True, slots=True)
class Asked:
    """Ranges of a series that were read before, and when: three columns of one length."""

    start: Milliseconds
    end: Milliseconds
    observed_at: Milliseconds

    def within(self, window: Window) -> Self:
        """Those that overlap the window."""
        keep = (self.start < window.end) & (self.end > window.start)
        return type(self)(self.start[keep], self.end[keep], self.observed_at[keep])

    def newest(self, open_times: Milliseconds) -> Milliseconds:
        """When each slot (ascending) was last read; `_NEVER` where it was not."""
        newest = np.full(len(open_times), _NEVER)
        first = np.searchsorted(open_times, self.start)
        last = np.searchsorted(open_times, self.end)
        for begin, end, time in zip(first, last, self.observed_at, strict=True):
            np.maximum(newest[begin:end], time, out=newest[begin:end])
        return newest

    def times(self, open_time: int) -> list[int]:
        """When a slot was read."""
        return self.observed_at[(self.start <= open_time) & (open_time < self.end)].tolist()


_NO_TIMES: Final = np.array([], dtype=np.int64)
NEVER_ASKED: Final = Asked(_NO_TIMES, _NO_TIMES, _NO_TIMES)
NO_ROWS: Final = pa.RecordBatch.from_pylist([], schema=CANDLE_ROWS)


@dataclass(frozen=True, slots=True)
class Changes:
    """Rows (`CANDLE_ROWS`) to be written, revisions first."""

    candles: Sequence[pa.RecordBatch]
    revisions: Sequence[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A batch beside the rows its slots hold; `unclear` ones need the revisions to be judged."""

    batch: Batch
    stored: pa.RecordBatch
    row_of: NDArray[np.intp]
    """Index into `stored` of each slot of the batch; meaningless where it holds nothing."""
    written: Mask
    replaced: Mask
    unclear: Mask
    asked: Asked

    @property
    def unclear_window(self) -> Window | None:
        """The part of the series whose revisions are needed."""
        times = _milliseconds(self.batch.rows, "open_time")[self.unclear]
        if not len(times):
            return None
        return Window(self.batch.window.series, int(times[0]), int(times[-1]) + 1)


def compare(batch: Batch, stored: pa.RecordBatch, asked: Asked) -> Comparison:
    """Tell apart, by columns, what is new, changed, equal or unclear.

    `stored` holds the rows of the series in and around the window, by ascending open time.
    """
    stored = _within(stored, batch.window)
    times, rows = _milliseconds(batch.rows, "open_time"), _milliseconds(stored, "open_time")
    row_of = np.searchsorted(rows, times)
    held = np.zeros(len(times), dtype=bool)
    inside = row_of < len(rows)
    held[inside] = rows[row_of[inside]] == times[inside]
    equal, older = held.copy(), held.copy()
    equal[held] = _equal(batch.rows, stored, np.flatnonzero(held), row_of[held])
    older[held] = _milliseconds(stored, "observed_at")[row_of[held]] <= batch.observed_at
    in_order = older & (asked.newest(times) < batch.observed_at)
    replaced = held & ~equal & in_order
    return Comparison(
        batch=batch,
        stored=stored,
        row_of=row_of,
        written=~held | replaced,
        replaced=replaced,
        unclear=held & ~replaced & ~(equal & older),
        asked=asked,
    )


def resolve(comparison: Comparison, revisions: pa.RecordBatch) -> Changes:
    """What is to be written, given revisions of the series, by ascending open time."""
    batch, stored = comparison.batch, comparison.stored
    candles = [candle_rows([replace(batch, rows=batch.rows.filter(pa.array(comparison.written)))])]
    replaced = comparison.row_of[comparison.replaced]
    moved = [stored.take(pa.array(replaced)).select(CANDLE_ROWS.names)]
    if comparison.unclear.any():
        rows, others = _fold_slots(comparison, revisions)
        candles.append(observed_rows(batch.window.series, rows))
        moved.append(observed_rows(batch.window.series, others))
    return Changes(candles, moved)


Placed = list[tuple[int, Observation]]


def _fold_slots(comparison: Comparison, revisions: pa.RecordBatch) -> tuple[Placed, Placed]:
    """The rows and the revisions that the unclear slots lack, one slot after the other."""
    batch, unclear = comparison.batch, np.flatnonzero(comparison.unclear)
    times = _milliseconds(batch.rows, "open_time")[unclear].tolist()
    observed = candle_rows([replace(batch, rows=batch.rows.take(pa.array(unclear)))])
    held = comparison.stored.take(pa.array(comparison.row_of[unclear]))
    earlier = _by_slot(_within(revisions, batch.window))
    rows: Placed = []
    others: Placed = []
    for time, new, row in zip(times, _observations(observed), _observations(held), strict=True):
        history = [entry for entry in earlier.get(time, []) if entry.observed_at < row.observed_at]
        lacking = fold([*history, row], comparison.asked.times(time), new)
        if not lacking:
            continue
        versions = {entry.observed_at: entry for entry in (row, *lacking)}
        newest = versions.pop(max(versions))
        if newest is not row:
            rows.append((time, newest))
        others.extend((time, entry) for entry in versions.values())
    return rows, others


def _within(rows: pa.RecordBatch, window: Window) -> pa.RecordBatch:
    times = _milliseconds(rows, "open_time")
    first, last = np.searchsorted(times, [window.start, window.end]).tolist()
    return rows.slice(first, last - first)


def _by_slot(revisions: pa.RecordBatch) -> dict[int, list[Observation]]:
    found: dict[int, list[Observation]] = {}
    times = _milliseconds(revisions, "open_time").tolist()
    for time, entry in zip(times, _observations(revisions), strict=True):
        found.setdefault(time, []).append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: entry.observed_at)
    return found


def _observations(rows: pa.RecordBatch) -> list[Observation]:
    values = zip(*(rows.column(name).to_pylist() for name in _VALUES), strict=True)
    observed = _milliseconds(rows, "observed_at").tolist()
    return [
        Observation(time, value, source)
        for time, value, source in zip(
            observed, values, rows.column("source").to_pylist(), strict=True
        )
    ]


def _equal(
    new: pa.RecordBatch, old: pa.RecordBatch, new_at: NDArray[np.intp], old_at: NDArray[np.intp]
) -> Mask:
    equal = np.ones(len(new_at), dtype=bool)
    for name in _VALUES:
        left, right = _numbers(new, name)[new_at], _numbers(old, name)[old_at]
        equal &= (left == right) | (np.isnan(left) & np.isnan(right))
    return equal


def _numbers(rows: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    return rows.column(name).to_numpy(zero_copy_only=False).astype(np.float64, copy=False)


def _milliseconds(rows: pa.RecordBatch, name: str) -> Milliseconds:
    return rows.column(name).cast(pa.int64()).to_numpy()
