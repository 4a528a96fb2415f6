"""Which candles a klines question gets: Binance's rules of paging.

With `start`: the first `limit` candles from it on. Without: the last `limit` candles up to `end`,
or up to now. Both bounds are inclusive and speak of open times.
"""

from dataclasses import dataclass

from candlelog_embedded.sandbox.columns import Columns, joined
from candlelog_embedded.sandbox.folding import folded
from candlelog_embedded.sandbox.intervals import MINUTE, Interval
from candlelog_embedded.sandbox.sources import AsOf, Source


@dataclass(frozen=True, slots=True)
class Question:
    """What a klines request asks for; times in milliseconds since the epoch."""

    interval: Interval
    start: int | None
    end: int | None
    limit: int


def page(source: Source, question: Question, now: int, late: int = 0) -> Columns:
    """The answer at the moment `now`, the open candle included; see `AsOf` for `late`."""
    seen = AsOf(source, now, late)
    last = now if question.end is None else min(question.end, now)
    if question.start is None:
        return _backward(seen, question.interval, last, question.limit)
    return _forward(seen, question.interval, (question.start, last), question.limit)


def _forward(source: Source, interval: Interval, bounds: tuple[int, int], limit: int) -> Columns:
    parts: list[Columns] = []
    at, found = interval.ceil(bounds[0]), 0
    stop = interval.advance(interval.floor(bounds[1]), 1)
    while found < limit:
        first = source.following(at)
        if first is None or (at := max(at, interval.floor(first))) >= stop:
            break
        end = min(interval.advance(at, limit - found), stop)
        parts.append(candles(source, interval, at, end))
        found += len(parts[-1])
        at = end
    return joined(parts)


def _backward(source: Source, interval: Interval, last: int, limit: int) -> Columns:
    parts: list[Columns] = []
    end, found = interval.advance(interval.floor(last), 1), 0
    while found < limit:
        newest = source.preceding(end - 1)
        if newest is None:
            break
        stop = interval.advance(interval.floor(newest), 1)
        end = interval.advance(stop, found - limit)
        parts.append(candles(source, interval, end, stop))
        found += len(parts[-1])
    return joined(parts[::-1])


def candles(source: Source, interval: Interval, start: int, end: int) -> Columns:
    """The candles that open in `[start, end)`, both on the grid, folded from minutes in blocks."""
    if interval.step == MINUTE:
        return source.minutes(start, end)
    parts: list[Columns] = []
    while start < end:
        stop = min(interval.advance(start, interval.block), end)
        parts.append(folded(source.minutes(start, stop), interval))
        start = stop
    return joined(parts)
