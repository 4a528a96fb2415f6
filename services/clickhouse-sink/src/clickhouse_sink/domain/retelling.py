"""Answers that the topic no longer holds, told again from the tables that hold what they said.

Tables are a function of the set of observations, not of their order (`history`). So what a shadow
misses of an answer is what the live tables believed at its time: told as the batch that it was, it
leaves the shadow as the batch did.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

import numpy as np
import pyarrow as pa

from candlelog.events.candles import CANDLE_SCHEMA, Answer, CandleBatchHeaderV1, CandleBatchV1
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe, milliseconds
from clickhouse_sink.domain.batches import Batch, Outcome, Window


@dataclass(frozen=True, slots=True)
class Answered:
    """A row of `coverage`."""

    series: Series
    start: datetime
    end: datetime
    source: Literal["rest", "archive"]
    outcome: Outcome
    job_id: UUID
    chunk_id: UUID
    observed_at: datetime

    @property
    def window(self) -> Window:
        """The part of the series that was asked for."""
        return Window(self.series, milliseconds(self.start), milliseconds(self.end))

    @property
    def slots(self) -> int:
        """Slots of the range."""
        return Timeframe.parse(self.series.timeframe).count(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Untold:
    """Answers to be told again, and how many there are in all."""

    answers: Sequence[Answered]
    total: int

    def within(self, max_rows: int) -> list[Answered]:
        """The first of them: at least one, and no more than hold so many rows."""
        ends = np.cumsum([answer.slots for answer in self.answers])
        return list(self.answers[: max(1, int(np.searchsorted(ends, max_rows, side="right")))])


def retold(
    answers: Iterable[Answered],
    rows: Mapping[Series, pa.RecordBatch],
    revisions: Mapping[Series, pa.RecordBatch],
) -> Iterator[Batch]:
    """The batches of these answers, given what the tables hold of their windows."""
    for answer in answers:
        held = [part[answer.series] for part in (rows, revisions) if answer.series in part]
        said = "candles" if answer.outcome == "partial" else answer.outcome
        believed = _believed(held if said == "candles" else [], answer)
        batch = Batch.of(CandleBatchV1(_header(answer, said), believed))
        yield replace(batch, outcome=answer.outcome)


def _believed(held: Sequence[pa.RecordBatch], answer: Answered) -> pa.RecordBatch:
    """Rows (`CANDLE_SCHEMA`) of the window as they were known at the time of the answer."""
    if not held:
        return pa.RecordBatch.from_pylist([], schema=CANDLE_SCHEMA)
    (known,) = pa.Table.from_batches(held).combine_chunks().to_batches() or (held[0],)
    times, observed = (
        known.column(name).cast(pa.int64()).to_numpy() for name in ("open_time", "observed_at")
    )
    window = answer.window
    inside = (window.start <= times) & (times < window.end)
    places = np.flatnonzero(inside & (observed <= milliseconds(answer.observed_at)))
    places = places[np.lexsort((observed[places], times[places]))]
    newest = np.append(np.diff(times[places]) != 0, [True])[: len(places)]
    return known.take(pa.array(places[newest])).select(CANDLE_SCHEMA.names).cast(CANDLE_SCHEMA)


def _header(answer: Answered, said: Answer) -> CandleBatchHeaderV1:
    """What coverage does not keep of a header is of no use to the tables."""
    return CandleBatchHeaderV1(
        job_id=answer.job_id,
        task_id=answer.job_id,
        chunk_id=answer.chunk_id,
        generation=0,
        release=1,
        exchange=answer.series.exchange,
        symbol=answer.series.symbol,
        timeframe=answer.series.timeframe,
        start=answer.start,
        end=answer.end,
        slots=answer.slots,
        source=answer.source,
        answer=said,
        observed_at=answer.observed_at,
    )
