"""From a job to one plan a series: which slots are asked for, and in how many chunks.

A plan never lists its chunks. It lists the ranges still to be asked, each with the numbers of its
chunks; what chunk `n` asks follows from its range and the page size (`coordinator.domain.pieces`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange, subtract
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """Slots `[start, end)` of a task, asked by the chunks `[first_chunk, end_chunk)`."""

    start: datetime
    end: datetime
    first_chunk: int
    end_chunk: int


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One series of a job: the window on the grid, and the ranges of it that are asked for."""

    task_id: UUID
    series: Series
    start: datetime
    end: datetime
    ranges: tuple[PlannedRange, ...]
    chunks_total: int
    slots_expected: int
    slots_covered: int


Covered = Mapping[Series, Sequence[TimeRange]]
"""What coverage explains of each series: ranges on its grid, apart, in order of time."""


def plan_job(
    command: SubmitJobV1, profile: ExchangeProfile, covered: Covered, now: datetime
) -> list[TaskPlan]:
    """A plan for each series of the command, symbols outermost, as the user named them.

    `now` cuts the range to candles that have closed. The command was checked before.
    """
    plans: list[TaskPlan] = []
    frames = [Timeframe.parse(name) for name in dict.fromkeys(command.timeframes)]
    windows = [_window(frame, command.start, command.end, now) for frame in frames]
    for symbol in dict.fromkeys(command.symbols):
        for frame, (start, end) in zip(frames, windows, strict=True):
            series = Series(command.exchange, symbol, frame.name)
            asked = _asked(start, end, covered.get(series, ()))
            plans.append(
                _plan(
                    command.job_id,
                    series,
                    window=(start, end),
                    asked=asked,
                    page_size=profile.page_size,
                )
            )
    return plans


def _window(
    frame: Timeframe, start: datetime, end: datetime, now: datetime
) -> tuple[datetime, datetime]:
    """The slots asked for: grid-aligned, closed by `now`; `start == end` when there is none."""
    first = frame.ceil(start)
    return first, max(first, frame.floor(min(end, now)))


def _asked(start: datetime, end: datetime, covered: Sequence[TimeRange]) -> list[TimeRange]:
    """What of the window nothing covers."""
    if start == end:
        return []
    window = TimeRange(start, end)
    return subtract(window, covered) if covered else [window]


def _plan(
    job_id: UUID,
    series: Series,
    *,
    window: tuple[datetime, datetime],
    asked: Iterable[TimeRange],
    page_size: int,
) -> TaskPlan:
    frame = Timeframe.parse(series.timeframe)
    ranges: list[PlannedRange] = []
    chunks = slots = 0
    for part in asked:
        count = frame.count(part.start, part.end)
        end_chunk = chunks - -count // page_size
        ranges.append(PlannedRange(part.start, part.end, chunks, end_chunk))
        chunks, slots = end_chunk, slots + count
    expected = frame.count(*window)
    return TaskPlan(
        task_id=uuid5(job_id, series.text),
        series=series,
        start=window[0],
        end=window[1],
        ranges=tuple(ranges),
        chunks_total=chunks,
        slots_expected=expected,
        slots_covered=expected - slots,
    )
