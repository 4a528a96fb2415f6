"""Cuts what was read from the log into waves that are written one after the other."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from candlelog.market.series import Series
from clickhouse_sink.domain.batches import Batch, Window


def waves(batches: Sequence[Batch], max_rows: int) -> Iterator[list[Batch]]:
    """Groups of batches, in which no slot is held twice and (but for a single batch) no more than
    `max_rows` rows lie.

    Batches that overlap keep their order: the later one is in a later wave. So each wave finds
    the versions before its own in the tables, and folding one slot is the work of one observation.
    """
    for part in _by_rows(batches, max_rows):
        yield from _apart(part)


def meet(some: Iterable[Batch], others: Iterable[Batch]) -> bool:
    """Whether a slot of some is one of the others."""
    windows: dict[Series, list[Window]] = defaultdict(list)
    for batch in others:
        windows[batch.window.series].append(batch.window)
    return any(
        batch.window.overlaps(other.start, other.end)
        for batch in some
        for other in windows.get(batch.window.series, ())
    )


def _by_rows(batches: Sequence[Batch], max_rows: int) -> Iterator[list[Batch]]:
    part: list[Batch] = []
    rows = 0
    for batch in batches:
        if part and rows + batch.rows.num_rows > max_rows:
            yield part
            part, rows = [], 0
        part.append(batch)
        rows += batch.rows.num_rows
    if part:
        yield part


def _apart(batches: Sequence[Batch]) -> list[list[Batch]]:
    found: list[list[Batch]] = []
    placed: dict[Series, list[tuple[Window, int]]] = defaultdict(list)
    for batch in batches:
        before = placed[batch.window.series]
        window = batch.window
        earlier = (wave for other, wave in before if window.overlaps(other.start, other.end))
        number = 1 + max(earlier, default=-1)
        before.append((window, number))
        if number == len(found):
            found.append([])
        found[number].append(batch)
    return found
