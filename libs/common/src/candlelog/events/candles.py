"""A batch of candles: columns as an Arrow IPC stream, and a header that says what they are."""

from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import Count, Name, Ordinal, Positive, Text, Time

CANDLE_SCHEMA = pa.schema(
    [
        pa.field("open_time", pa.timestamp("ms", tz="UTC"), nullable=False),
        pa.field("open", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
        pa.field("low", pa.float64(), nullable=False),
        pa.field("close", pa.float64(), nullable=False),
        pa.field("volume", pa.float64(), nullable=False),
        pa.field("quote_volume", pa.float64(), nullable=True),
        pa.field("trades", pa.uint32(), nullable=True),
    ]
)
"""Columns of a batch: prices and `quote_volume` in quote currency, `volume` in base currency."""

Answer = Literal["candles", "empty", "unlisted"]
"""How the venue answered for the range: with at least one candle, with none at all, or, with none,
that it has no candle of the series before the range ends, or none since it begins."""


class QuarantinedRow(BaseModel):
    """A row that failed validation: its raw text and the reason, never mended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    raw: str
    reason: Text
    open_time: Time | None = None


class CandleBatchHeaderV1(Event):
    """What a batch covers: the series, the half-open range and how the venue answered."""

    ce_type: ClassVar[str] = "candlelog.candles.batch.v1"
    topic: ClassVar[str] = "candles"

    job_id: UUID
    task_id: UUID
    chunk_id: UUID
    generation: Ordinal
    release: Positive
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    slots: Count
    part: Ordinal = 0
    last_part: bool = True
    source: Literal["rest", "archive"] = "rest"
    answer: Answer
    observed_at: Time
    """Exchange time at which the values were read."""
    quarantined: tuple[QuarantinedRow, ...] = ()
    feature_sets: tuple[FeatureSetRef, ...] = ()
    """What the chunk was asked for besides candles."""

    @property
    def key(self) -> str:
        """The series: `exchange|symbol|timeframe`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"


@dataclass(frozen=True, slots=True)
class CandleBatchV1:
    """A header with its rows: `CANDLE_SCHEMA`, open times increasing within `[start, end)`."""

    header: CandleBatchHeaderV1
    rows: pa.RecordBatch

    ce_type: ClassVar[str] = CandleBatchHeaderV1.ce_type
    topic: ClassVar[str] = CandleBatchHeaderV1.topic

    @property
    def key(self) -> str:
        """The series."""
        return self.header.key
