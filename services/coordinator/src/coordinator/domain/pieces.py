"""Chunk `n` of a planned range: a pure function of the range and the page size."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.planning import PlannedRange

ROUTE: Final = "rest"
PASS_NUMBER: Final = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk asks: `slots` open times in `[start, end)`."""

    start: datetime
    end: datetime
    slots: int


def pieces(
    planned: PlannedRange, frame: Timeframe, page_size: int, *, first: int, end: int
) -> Iterator[Piece]:
    """The chunks of `planned` whose numbers lie in `[first, end)`, in order of time."""
    for number in range(max(first, planned.first_chunk), min(end, planned.end_chunk)):
        start = frame.advance(planned.start, (number - planned.first_chunk) * page_size)
        if number + 1 < planned.end_chunk:
            yield Piece(start, frame.advance(start, page_size), page_size)
        else:
            yield Piece(start, planned.end, frame.count(start, planned.end))


def chunk_id(job_id: UUID, series: Series, piece: Piece) -> UUID:
    """The same for the same work of the same job, whoever computes it, and when."""
    name = f"{series.text}|{piece.start.isoformat()}|{piece.end.isoformat()}|{ROUTE}|{PASS_NUMBER}"
    return uuid5(job_id, name)
