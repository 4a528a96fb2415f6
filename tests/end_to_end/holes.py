"""Known holes in what an exchange gives away, and what is counted slot by slot."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from candlelog.market.timeframe import Timeframe
from candlelog_client.stored import Gap

START = datetime(2024, 2, 1, tzinfo=UTC)
PAGE = 1000
SLOTS = 3 * PAGE


class Hole(NamedTuple):
    """Slots `[first, end)` of a series that the exchange does not give away."""

    symbol: str
    timeframe: str
    first: int
    end: int
    refused: bool
    """Whether it gives rows that are refused, or no answer to the page at all."""

    def times(self) -> tuple[datetime, datetime]:
        frame = Timeframe.parse(self.timeframe)
        return frame.advance(START, self.first), frame.advance(START, self.end)

    def rule(self) -> dict[str, Any]:
        start, end = (time.isoformat() for time in self.times())
        return {
            "kind": "row-nan" if self.refused else "500", "symbol": f"{self.symbol}USDT",
            "interval": self.timeframe, "start": start, "end": end,
        }  # fmt: skip


def drawn(random: Random, symbol: str, timeframe: str) -> Iterable[Hole]:
    """Holes at the start, in the middle and at the end of a series, of one slot and of many.

    There is at most one in a page: the exchange does one thing wrong in an answer.
    """
    if random.random() < 0.3:
        first = random.choice(range(0, SLOTS, PAGE))
        yield Hole(symbol, timeframe, first, first + PAGE, refused=False)
        return
    if random.random() < 0.6:
        yield Hole(symbol, timeframe, 0, random.choice([1, 30]), refused=True)
    if random.random() < 0.6:
        first = random.randint(1100, 1600)
        yield Hole(symbol, timeframe, first, first + random.choice([1, 300]), refused=True)
    if random.random() < 0.6:
        yield Hole(symbol, timeframe, SLOTS - random.choice([1, 25]), SLOTS, refused=True)


def told(gap: Gap) -> tuple[str, str, datetime, datetime]:
    return gap.symbol.removesuffix("/USDT"), gap.timeframe, gap.start, gap.end


def slots_of(
    symbol: str, timeframe: str, start: datetime, end: datetime
) -> Counter[tuple[str, str, int]]:
    times = Timeframe.parse(timeframe).open_times_ms(start, end).tolist()
    return Counter((symbol, timeframe, time) for time in times)


def asked(requests: Iterable[dict[str, Any]]) -> Counter[tuple[str, str, int]]:
    """How often each slot was asked for in requests that the sandbox counted."""
    found: Counter[tuple[str, str, int]] = Counter()
    for each in requests:
        start, last = (
            datetime.fromtimestamp(int(each[name]) / 1000, UTC) for name in ("start", "end")
        )
        symbol = each["symbol"].removesuffix("USDT")
        found += slots_of(symbol, each["interval"], start, last + timedelta(milliseconds=1))
    return found
