"""What becomes of gaps: slots of a series that nothing explains."""

from typing import ClassVar, Literal
from uuid import UUID

from candlelog.events.event import Event
from candlelog.events.fields import Name, PositiveCount, Time

OpenGapState = Literal["detected", "filling", "unfillable", "failed"]
"""`unfillable`: a repair asked for all of it, and every row it got was refused; `failed`: a repair
ended without an answer for all of it."""
ClosedGapState = Literal["filled", "merged"]
"""`merged`: its slots belong to a gap now that begins earlier."""


class _GapEvent(Event):
    """A gap as it is from now on, whole: the highest `version` of a gap wins."""

    topic: ClassVar[str] = "gaps"

    gap_id: UUID
    """Follows from series and start, so a gap that begins elsewhere is another gap."""
    version: PositiveCount
    exchange: Name
    symbol: Name
    timeframe: Name
    start: Time
    end: Time
    slots: PositiveCount
    job_id: UUID | None = None
    """The repair that was last to ask for it."""
    detected_at: Time
    changed_at: Time

    @property
    def key(self) -> str:
        """The series: `exchange|symbol|timeframe`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"


class GapOpenedV1(_GapEvent):
    """A gap was found. Where it is what is left of another one it begins in that one's state."""

    ce_type: ClassVar[str] = "candlelog.gaps.opened.v1"

    state: OpenGapState


class GapChangedV1(_GapEvent):
    """A gap has another end or another state; or is told of again for whoever has missed it."""

    ce_type: ClassVar[str] = "candlelog.gaps.changed.v1"

    state: OpenGapState


class GapClosedV1(_GapEvent):
    """No slot of the gap is left: it ended as `[start, end)`."""

    ce_type: ClassVar[str] = "candlelog.gaps.closed.v1"

    state: ClosedGapState
