"""What the demo asks for, and where its truth lies."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa

import candlelog_embedded
from candlelog_client.demo import truth

EXCHANGE: Final = "binance"
START: Final = datetime(2024, 2, 1, tzinfo=UTC)
END: Final = datetime(2024, 3, 1, tzinfo=UTC)
SAMPLE: Final = "NEAR/USDT"
GENERATED: Final = ("SYNA/USDT", "SYNB/USDT")
SYMBOLS: Final = (SAMPLE, *GENERATED)
TIMEFRAMES: Final = ("1m", "1h")
SAMPLE_MARKET: Final = Path(candlelog_embedded.__file__).with_name("sample_market")
SAMPLE_FILE: Final = SAMPLE_MARKET / "futures/um/monthly/klines/NEARUSDT/1m/NEARUSDT-1m-2024-02.zip"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One series of the demo's job."""

    symbol: str
    timeframe: str

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.symbol} {self.timeframe}"

    def truth(self) -> pa.Table:
        """Its candles, read from the source."""
        if self.symbol == SAMPLE:
            read = truth.archived_minutes if self.timeframe == "1m" else truth.archived_hours
            return read(SAMPLE_FILE)
        return truth.generated(self.symbol.replace("/", ""), self.timeframe, START, END)


def series() -> Iterator[Wanted]:
    """Every series of the demo."""
    for symbol in SYMBOLS:
        for timeframe in TIMEFRAMES:
            yield Wanted(symbol, timeframe)
