"""What was believed of one slot, and when: folding one more observation into it.

A history is a list of observations in the order of their times, each differing from the one before
it or asserting it again after a late one. The newest is the row of `candles`; the others lie in
`candle_revisions`. What was believed at `t` is the newest with `observed_at <= t`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

Values = tuple[float | int | None, ...]
"""Open, high, low, close, volume, quote volume, trades."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The values of a slot as read at `observed_at` (milliseconds since the epoch)."""

    observed_at: int
    values: Values
    source: str


def fold(
    history: Sequence[Observation], asked: Sequence[int], new: Observation
) -> list[Observation]:
    """What the history lacks once `new` is known: nothing, `new`, or `new` and one assertion.

    `asked` are the times, in any order, at which the slot's range was read before. Each stands
    for "what was believed then was seen then", because a value that changes nothing leaves no other
    trace. So a late value is believed only until the range was next asked: from that moment the
    value before it is asserted again.

    Two answers of one millisecond that differ are decided by their values, not by their order.
    """
    known = _newest(entry for entry in history if entry.observed_at <= new.observed_at)
    if known is not None and known.values == new.values:
        return []
    told_then = known is not None and (
        known.observed_at == new.observed_at or new.observed_at in asked
    )
    if known is not None and told_then and _rank(known) > _rank(new):
        return []
    return [new, *_asserted_again(known, history, asked, new.observed_at)]


def _asserted_again(
    known: Observation | None, history: Sequence[Observation], asked: Sequence[int], late: int
) -> list[Observation]:
    seen = min((time for time in asked if time > late), default=None)
    if known is None or seen is None:
        return []
    if any(late < entry.observed_at <= seen for entry in history):
        return []
    return [replace(known, observed_at=seen)]


def _newest(entries: Iterable[Observation]) -> Observation | None:
    return max(entries, key=lambda entry: entry.observed_at, default=None)


def _rank(observation: Observation) -> tuple[tuple[bool, float], ...]:
    return tuple((value is not None, value or 0.0) for value in observation.values)
