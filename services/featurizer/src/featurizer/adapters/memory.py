"""What is stored and how far, in memory: as small as it can be said."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from candlelog.market.candles import Columns
from candlelog.market.series import Series
from featurizer.domain.requests import Build


class MemoryStored:
    """`Stored` of one process: put builds and candles (rows of open time and five numbers) in."""

    def __init__(self) -> None:
        self.kept: dict[Series, list[Build]] = {}
        self.rows: dict[Series, dict[int, tuple[float, ...]]] = {}

    async def builds(self, series: Collection[Series]) -> Mapping[Series, Sequence[Build]]:
        """The builds that are to be kept up."""
        return {each: self.kept[each] for each in series if each in self.kept}

    async def candles(self, series: Series, start: int, *, before: int, most: int) -> Columns:
        """The candles from `start` on and those before it."""
        rows = self.rows.get(series, {})
        earlier = [time for time in sorted(rows) if time < start][-before:]
        inside = [time for time in sorted(rows) if time >= start][:most]
        times = [*earlier, *inside]
        values = np.array([rows[time] for time in times], dtype=np.float64).reshape(-1, 5)
        opens, highs, lows, closes, volumes = values.T
        return Columns(np.array(times, dtype=np.int64), opens, highs, lows, closes, volumes)


class MemoryBarrier:
    """`Barrier` that rises when a test says so."""

    def __init__(self) -> None:
        self._positions: dict[tuple[str, int], int] = {}
        self._changed = asyncio.Event()

    def rise(self, topic: str, partition: int, position: int) -> None:
        """Everything below the position is stored."""
        self._positions[topic, partition] = position
        self._changed.set()

    async def passed(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Wait until everything below these positions is stored."""
        while any(self.position(*at) < wanted for at, wanted in positions.items()):
            self._changed.clear()
            await self._changed.wait()

    def position(self, topic: str, partition: int) -> int:
        """Everything below it is stored."""
        return self._positions.get((topic, partition), 0)
