"""Chunk `n` of a planned range: a pure function of the range and the slots of a chunk."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.queues import PlannedRange

PASS_NUMBER: Final = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """What one chunk asks: `slots` open times in `[start, end)`."""

    start: datetime
    end: datetime
    slots: int


def pieces(
    planned: PlannedRange, frame: Timeframe, piece_slots: int, *, first: int, end: int
) -> Iterator[Piece]:
    """The chunks of `planned` whose numbers lie in `[first, end)`, in order of time."""
    for number in range(max(first, planned.first_chunk), min(end, planned.end_chunk)):
        start = frame.advance(planned.start, (number - planned.first_chunk) * piece_slots)
        if number + 1 < planned.end_chunk:
            yield Piece(start, frame.advance(start, piece_slots), piece_slots)
        else:
            yield Piece(start, planned.end, frame.count(start, planned.end))


def chunk_id(job_id: UUID, series: Series, piece: Piece, *, way: str) -> UUID:
    """The same for the same work of the same job, whoever computes it, and when.

    `way` tells apart what may be done of one range: the route, and what else distinguishes it.
    """
    name = f"{series.text}|{piece.start.isoformat()}|{piece.end.isoformat()}|{way}|{PASS_NUMBER}"
    return uuid5(job_id, name)
