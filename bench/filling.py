"""Tables that are filled here, and not by a job: what each slot must be is known."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse

READ_AT = datetime(2026, 1, 1, tzinfo=UTC)
LACKS = 1_000
"""One slot of so many has no candle, for which the venue has answered."""
UNASKED = 100
"""Of one series of so many the last page was never asked for."""
PAGE = 1_000

_MS = pa.timestamp("ms", "UTC")


class Filling:
    """Fills the tables, and counts what was put there."""

    def __init__(self, store: ClickHouse) -> None:
        self._store = store
        self.states = Counter[str]()

    async def series(
        self, first: int, end: int, timeframe: str, start: datetime, slots: int
    ) -> None:
        """Series of those numbers: `slots` open times of each, from `start` on."""
        numbers = np.repeat(np.arange(first, end), slots)
        places = np.tile(np.arange(slots), end - first)
        asked = (numbers % UNASKED != 1) | (places < slots - PAGE)
        lacks = (numbers + places) % LACKS == 0
        times = Timeframe.parse(timeframe).open_times_ms(start, READ_AT)
        kept = asked & ~lacks
        await self._store.insert_arrow(
            "candles", _candles(numbers[kept], times[places[kept]], timeframe)
        )
        await self._store.insert_arrow("coverage", _coverage(first, end, times, timeframe, slots))
        self.states["present"] += int(kept.sum())
        self.states["outage"] += int((asked & lacks).sum())
        self.states["unknown"] += int((~asked).sum())


def _candles(numbers: NDArray[np.int64], times: NDArray[np.int64], timeframe: str) -> pa.Table:
    size = len(numbers)
    prices = 100 + (numbers + times // 60_000) % 997 / 10
    return pa.table(
        {
            "exchange": pa.repeat("binance", size),
            "symbol": pa.array(names_of(numbers)),
            "timeframe": pa.repeat(timeframe, size),
            "open_time": pa.array(times).cast(_MS),
            **dict.fromkeys(("open", "high", "low", "close", "volume"), pa.array(prices)),
            "quote_volume": pa.nulls(size, pa.float64()),
            "trades": pa.nulls(size, pa.uint32()),
            "source": pa.repeat("rest", size),
            "observed_at": pa.repeat(pa.scalar(READ_AT, _MS), size),
        }
    )


def _coverage(
    first: int, end: int, times: NDArray[np.int64], timeframe: str, slots: int
) -> pa.Table:
    """A row for each page of each series."""
    rows = [
        (number, begin, min(begin + PAGE, slots - PAGE * (number % UNASKED == 1)))
        for number in range(first, end)
        for begin in range(0, slots, PAGE)
    ]
    numbers, begins, ends = np.array([row for row in rows if row[1] < row[2]]).T
    size = len(numbers)
    return pa.table(
        {
            "exchange": pa.repeat("binance", size),
            "symbol": pa.array(names_of(numbers)),
            "timeframe": pa.repeat(timeframe, size),
            "start": pa.array(times[begins]).cast(_MS),
            "end": pa.array(times[ends]).cast(_MS),
            "source": pa.repeat("rest", size),
            "outcome": pa.repeat("candles", size),
            "job_id": pa.repeat(str(uuid4()), size),
            "chunk_id": pa.array([str(uuid4()) for _ in range(size)]),
            "observed_at": pa.repeat(pa.scalar(READ_AT, _MS), size),
        }
    )


def names_of(numbers: Sequence[int] | NDArray[np.int64]) -> NDArray[np.str_]:
    """Symbols of series by their numbers."""
    digits = np.char.zfill(np.asarray(numbers).astype(str), 5)
    return np.char.add(np.char.add("S", digits), "/USDT")
