"""A batch of features: columns as an Arrow IPC stream, and a header that says what they are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from candlelog.events.event import Event
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.fields import Count, Name, Ordinal, Positive

OPEN_TIME = pa.field("open_time", pa.timestamp("ms", tz="UTC"), nullable=False)
"""The first column of a batch; every other one is a nullable `float64`, named as the feature."""

KEY_COLUMNS: Final = (
    "exchange", "symbol", "timeframe", "open_time", "feature_set", "version", "build", "revision",
)  # fmt: skip
"""Columns of the stored rows beside the features; no feature may have such a name."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def is_feature_name(text: str) -> bool:
    """Whether a feature may be called that: it is a column wherever features are shown."""
    return _NAME.fullmatch(text) is not None and text not in KEY_COLUMNS


class ChunkFeatures(BaseModel):
    """A part of a chunk whose candles all have features once the batch is stored, and how many they
    are; with the last part all of the chunk have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: UUID
    task_id: UUID
    chunk_id: UUID
    generation: Ordinal
    release: Positive
    part: Ordinal = 0
    last_part: bool = True
    features: Count


class FeatureBatchHeaderV1(Event):
    """Features of a series, computed from candles that hold all of `candles` below `revision`.

    Of two rows of a slot the higher `revision` wins: it was computed from candles that hold
    everything the other one knew of.
    """

    ce_type: ClassVar[str] = "candlelog.features.batch.v1"
    topic: ClassVar[str] = "features"

    exchange: Name
    symbol: Name
    timeframe: Name
    feature_set: FeatureSetRef
    build: Ordinal = 0
    """0 for the rows that follow the candles; a replay writes its own beside them."""
    revision: Count
    """Epoch of the topic `candles` and a position in the partition of the series, as one number."""
    answers: tuple[ChunkFeatures, ...] = ()
    """Parts of chunks that have theirs with this batch, the last of all that were computed."""

    @property
    def key(self) -> str:
        """The series: `exchange|symbol|timeframe`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"


@dataclass(frozen=True, slots=True)
class FeatureBatchV1:
    """A header with its rows: `OPEN_TIME`, increasing, and the features as columns."""

    header: FeatureBatchHeaderV1
    rows: pa.RecordBatch

    ce_type: ClassVar[str] = FeatureBatchHeaderV1.ce_type
    topic: ClassVar[str] = FeatureBatchHeaderV1.topic

    @property
    def key(self) -> str:
        """The series."""
        return self.header.key


def feature_schema(names: Sequence[str]) -> pa.Schema:
    """The columns of a batch with these features, in this order."""
    return pa.schema([OPEN_TIME, *(pa.field(name, pa.float64()) for name in names)])
