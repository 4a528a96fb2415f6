"""From gaps to the commands that have them filled."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from candlelog.events.jobs import FillGapsV1, GapToFill
from status_api.domain.problems import Problem
from status_api.domain.rows import GapRow

FILLABLE: Final = ("detected", "unfillable", "failed")
"""States of a gap that is open and that no job is filling."""
_MOST_GAPS: Final = 1000


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, when, and how jobs get their ids."""

    name: str
    at: datetime
    new_id: Callable[[], UUID]


def commands(gaps: Sequence[GapRow], asker: Asker) -> Iterator[FillGapsV1]:
    """One command for each exchange and thousand gaps; they come ordered by exchange."""
    for exchange, group in groupby(gaps, key=lambda gap: gap.exchange):
        of_exchange = list(group)
        for first in range(0, len(of_exchange), _MOST_GAPS):
            yield FillGapsV1(
                job_id=asker.new_id(),
                exchange=exchange,
                gaps=tuple(_to_fill(gap) for gap in of_exchange[first : first + _MOST_GAPS]),
                submitted_by=asker.name,
                submitted_at=asker.at,
            )


def check_fillable(gap: GapRow) -> None:
    """Raise a 409 problem where there is nothing to fill, or somebody is at it."""
    if gap.state == "filling":
        raise Problem(409, "already_filling", "a job is filling this gap")
    if gap.state in {"filled", "merged"}:
        raise Problem(409, "already_filled", f"this gap is over: it is {gap.state}")


def _to_fill(gap: GapRow) -> GapToFill:
    return GapToFill(
        gap_id=gap.gap_id,
        symbol=gap.symbol,
        timeframe=gap.timeframe,
        start=gap.range_start,
        end=gap.range_end,
    )
