"""Splitting weight among those who want it: max-min fair, in whole units."""

from collections.abc import Hashable, Mapping
from math import floor
from typing import TypeVar

Who = TypeVar("Who", bound=Hashable)


def share(amount: float, wants: Mapping[Who, float], *, turn: int = 0) -> dict[Who, float]:
    """Give everybody as much as the least satisfied gets, nobody more than wanted.

    Units that cannot be split go to the unsatisfied one after the other, beginning with the
    `turn`-th. The sum is at most `amount`; who gets nothing is left out.
    """
    left = float(floor(amount))
    given: dict[Who, float] = {}
    waiting = sorted((who for who in wants if wants[who] > 0), key=lambda who: wants[who])
    while waiting and wants[waiting[0]] <= floor(left / len(waiting)):
        who = waiting.pop(0)
        given[who] = wants[who]
        left -= wants[who]
    if not waiting:
        return given
    level = floor(left / len(waiting))
    given |= dict.fromkeys(waiting, float(level))
    left -= level * len(waiting)
    hungry = [who for who in waiting if wants[who] >= level + 1]
    for place in range(min(len(hungry), floor(left))):
        given[hungry[(turn + place) % len(hungry)]] += 1.0
    return {who: weight for who, weight in given.items() if weight > 0}
