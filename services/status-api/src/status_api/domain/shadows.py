"""What the sink says of a shadow, onto the rows of its job."""

from typing import Final

from candlelog.events.rebuild import PartRebuiltV1, ShadowChangedV1
from candlelog.events.topics import CANDLES
from status_api.domain.rows import JobRow, ShadowRow

_PARTS: Final = 2 * CANDLES.partitions
"""Each partition is rebuilt from the log, and then from the store."""


def changed(shadow: ShadowRow, job: JobRow, event: ShadowChangedV1) -> None:
    """A step is done."""
    match event.step:
        case "open":
            job.accepted_at = job.accepted_at or event.changed_at
            job.chunks_total = _PARTS
        case "switch" | "switch_back":
            shadow.switched = event.step == "switch"
        case "close":
            shadow.closed = True


def rebuilt(shadow: ShadowRow, job: JobRow, event: PartRebuiltV1) -> None:
    """A part has come further; said again it has not."""
    name = f"{event.origin}/{event.partition}"
    before, total = shadow.parts.get(name, [-1, 0])
    if event.done <= before:
        return
    shadow.parts[name] = [event.done, event.total]
    job.candles_stored += event.rows
    job.chunks_done += event.through - (before >= total and before >= 0)
