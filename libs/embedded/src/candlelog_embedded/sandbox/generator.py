"""Generated markets: the same candle for the same symbol and minute on every machine."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from candlelog_embedded.sandbox import noise
from candlelog_embedded.sandbox.columns import (
    CLOSE,
    FIELDS,
    HIGH,
    LOW,
    OPEN,
    QUOTE_VOLUME,
    TAKER_QUOTE_VOLUME,
    TAKER_VOLUME,
    TRADES,
    VOLUME,
    Columns,
    nothing,
)
from candlelog_embedded.sandbox.intervals import MINUTE
from candlelog_embedded.sandbox.walk import MINUTES, Walk

LISTED: Final = 1_483_228_800_000
"""The first minute of every generated symbol, 2017-01-01T00:00Z, in milliseconds."""

_END: Final = LISTED + (MINUTES - 1) * MINUTE
_QUIET_OF_65536: Final = 160
_MINUTES_OF_DAY: Final = 1440


class GeneratedMarket:
    """The minutes of one generated symbol, found without the minutes before them.

    Each minute opens at the close of the one before. Some odd minutes are quiet: nothing trades,
    and the price stands.
    """

    def __init__(self, symbol: str) -> None:
        traits = int(noise.key(symbol, "traits"))
        self.price_decimals = 2 + traits % 4
        self.volume_decimals = traits // 4 % 4
        self._base_price = 20_000 + traits // 16 % 980_000
        self._base_volume = 5_000 + traits // 16_000_000 % 500_000
        self._volatility = 0.0004 + (traits >> 48) % 1024 / 1024 * 0.0008
        self._walk = Walk(symbol, self._volatility)
        self._range_seed = noise.key(symbol, "range")
        self._trade_seed = noise.key(symbol, "trade")

    def following(self, time: int) -> int | None:
        """The first minute that opens at or after `time`, None where there is none."""
        first = max(-(-time // MINUTE) * MINUTE, LISTED)
        return first if first < _END else None

    def preceding(self, time: int) -> int | None:
        """The last minute that opens at or before `time`, None where there is none."""
        last = min(time // MINUTE * MINUTE, _END - MINUTE)
        return last if last >= LISTED else None

    def minutes(self, start: int, end: int) -> Columns:
        """The minutes that open in `[start, end)`."""
        first = max(-(-(start - LISTED) // MINUTE), 0)
        stop = min(-(-(end - LISTED) // MINUTE), MINUTES - 1)
        if stop <= first:
            return nothing()
        places = np.arange(first, stop, dtype=np.int64)
        trade = noise.bits(self._trade_seed, places)
        quiet = _quiet(trade, places)
        values = np.empty((FIELDS, len(places)), np.int64)
        self._prices(values, places, quiet)
        self._volumes(values, places, trade, quiet)
        prices, volumes = self.price_decimals, self.volume_decimals
        quotes = prices + volumes
        decimals = (*(prices,) * 4, volumes, quotes, 0, volumes, quotes)
        return Columns(LISTED + places * MINUTE, values, decimals)

    def _prices(
        self, values: NDArray[np.int64], places: NDArray[np.int64], quiet: NDArray[np.bool_]
    ) -> None:
        first, stop = int(places[0]), int(places[-1]) + 1
        # One level more at each side: a quiet minute passes the level before it to the one after.
        before = max(first - 1, 0)
        growth = self._walk.growth(before, stop + 1)
        levels = np.maximum(np.rint(growth * self._base_price), 1.0).astype(np.int64)
        boundaries = levels[first - before :].copy()
        boundaries[1:][quiet] = boundaries[:-1][quiet]
        previous = places[:1] - 1
        if first and _quiet(noise.bits(self._trade_seed, previous), previous)[0]:
            boundaries[0] = levels[0]
        opens, closes = boundaries[:-1], boundaries[1:]
        random = noise.bits(self._range_seed, places)
        reach = np.where(quiet, 0.0, opens * (self._volatility * 0.8 * 2.0**-32))
        high = np.maximum(opens, closes) + _squared(random, 0, reach)
        low = np.minimum(opens, closes) - _squared(random, 1, reach)
        values[OPEN], values[CLOSE] = opens, closes
        values[HIGH], values[LOW] = high, np.maximum(low, 1)

    def _volumes(
        self,
        values: NDArray[np.int64],
        places: NDArray[np.int64],
        trade: noise.Bits,
        quiet: NDArray[np.bool_],
    ) -> None:
        day = np.abs(places % _MINUTES_OF_DAY - _MINUTES_OF_DAY // 2) / _MINUTES_OF_DAY + 0.5
        burst = noise.lane(trade, 0) * 2.0**-16
        volume = np.rint(day * (burst * burst * burst * 4.0 + 0.05) * self._base_volume)
        volume = np.where(quiet, 0, volume.astype(np.int64) + 1)
        each = 20 + noise.lane(trade, 1) % 400
        taker = volume * (19_661 + noise.lane(trade, 2) * 2 // 5) >> 16
        typical = values[OPEN : CLOSE + 1].sum(axis=0) // 4
        values[VOLUME], values[TAKER_VOLUME] = volume, taker
        values[QUOTE_VOLUME], values[TAKER_QUOTE_VOLUME] = volume * typical, taker * typical
        values[TRADES] = -(-volume // each)


def _quiet(trade: noise.Bits, places: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (noise.lane(trade, 3) < _QUIET_OF_65536) & (places % 2 == 1)


def _squared(random: noise.Bits, number: int, reach: NDArray[np.float64]) -> NDArray[np.int64]:
    """A distance of up to `reach * 2**32` units, mostly short."""
    part = noise.lane(random, number).astype(np.float64)
    return np.rint(part * part * reach).astype(np.int64)
