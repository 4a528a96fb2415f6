"""What arrived at the sandbox, counted as it arrives."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

KEPT_ARRIVALS: Final = 50_000


class Asked(NamedTuple):
    """What a request asked for, in the words of the venue, and what it cost."""

    path: str
    symbol: str | None
    interval: str | None
    start: str | None
    end: str | None
    weight: int


class Arrival(NamedTuple):
    """One request: venue time in milliseconds, what it asked for, and the gate's verdict."""

    at: int
    asked: Asked
    verdict: int


@dataclass(slots=True)
class Statistics:
    """Counters since the start or the last reset, and the newest arrivals."""

    paths: Counter[str] = field(default_factory=Counter[str])
    symbols: Counter[str] = field(default_factory=Counter[str])
    arrivals: deque[Arrival] = field(default_factory=lambda: deque(maxlen=KEPT_ARRIVALS))

    def count(self, arrival: Arrival, *, listed: bool) -> None:
        """Count one arrival; symbols that are not listed share one counter."""
        symbol = arrival.asked.symbol
        self.paths[arrival.asked.path] += 1
        if symbol is not None:
            self.symbols[symbol if listed else "unknown"] += 1
        self.arrivals.append(arrival)

    def forget(self) -> None:
        """Begin anew."""
        self.paths.clear()
        self.symbols.clear()
        self.arrivals.clear()
