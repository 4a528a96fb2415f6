"""A gap: slots of a series that nothing explains, as many neighbours as there are."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "candlelog:gap")


class GapState(StrEnum):
    """`detected → filling → filled | unfillable | failed`; all but the last two are open."""

    DETECTED = "detected"
    FILLING = "filling"
    UNFILLABLE = "unfillable"
    FAILED = "failed"
    FILLED = "filled"
    MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Gap:
    """The record of a gap; while it is open, no slot of `[start, end)` is explained.

    `job_id` is the repair that was last to ask for it.
    """

    series: Series
    start: datetime
    end: datetime
    state: GapState
    job_id: UUID | None
    detected_at: datetime

    @property
    def gap_id(self) -> UUID:
        """Follows from series and start: a gap that begins elsewhere is another one."""
        return uuid5(_NAMESPACE, f"{self.series.text}|{self.start.isoformat()}")

    @property
    def open(self) -> bool:
        """Whether slots are still unexplained."""
        return self.state not in {GapState.FILLED, GapState.MERGED}

    @property
    def slots(self) -> int:
        """How many."""
        return Timeframe.parse(self.series.timeframe).count(self.start, self.end)


def asked(gap: Gap, job_id: UUID, *, ended: bool) -> Gap:
    """The gap once a repair asks for it; a repair that has ended by then has not filled it."""
    state = GapState.FAILED if ended else GapState.FILLING
    return replace(gap, state=state, job_id=job_id)


def given_up(gap: Gap, *, answered: bool) -> Gap:
    """The gap once its repair has ended; `answered` where the venue answered for all of it."""
    return replace(gap, state=GapState.UNFILLABLE if answered else GapState.FAILED)
