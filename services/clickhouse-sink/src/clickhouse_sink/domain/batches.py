"""A batch as the sink sees it: a checked event, its series, and its times in milliseconds."""

from dataclasses import dataclass
from typing import Literal, Self

import pyarrow as pa

from candlelog.events.candles import Answer, CandleBatchHeaderV1, CandleBatchV1
from candlelog.market.series import Series
from candlelog.market.timeframe import milliseconds


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a series: open times in `[start, end)`, milliseconds since the epoch."""

    series: Series
    start: int
    end: int

    def overlaps(self, start: int, end: int) -> bool:
        """Whether `[start, end)` shares an instant with the window."""
        return self.start < end and start < self.end


Outcome = Literal[Answer, "partial"]
"""What coverage keeps of an answer; `partial` is one with candles, but not of every slot."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows (`CANDLE_SCHEMA`) of one answer of the venue, read at `observed_at` milliseconds."""

    header: CandleBatchHeaderV1
    rows: pa.RecordBatch
    window: Window
    observed_at: int
    outcome: Outcome

    @classmethod
    def of(cls, event: CandleBatchV1) -> Self:
        """The batch of an event that keeps the rules."""
        header = event.header
        series = Series(header.exchange, header.symbol, header.timeframe)
        window = Window(series, milliseconds(header.start), milliseconds(header.end))
        complete = event.rows.num_rows in {0, header.slots}
        outcome: Outcome = header.answer if complete else "partial"
        return cls(header, event.rows, window, milliseconds(header.observed_at), outcome)
