"""From a job to one plan a series: which slots are asked for, and in how many chunks.

A plan never lists its chunks. It lists ranges, each with the numbers of its chunks; what chunk `n`
asks follows from its range and the slots of a chunk (`coordinator.domain.pieces`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

from candlelog.events.feature_sets import FeatureBuildRef, FeatureSetRef
from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange, subtract
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.history import compute_queue
from coordinator.domain.queues import PlannedQueue, Work, chunks_of, line_up
from coordinator.domain.routes import Route

Covered = Mapping[Series, Sequence[TimeRange]]
"""Ranges of each series: on its grid, apart, in order of time."""

Marks = Mapping[Series, Mapping[FeatureSetRef, bool]]
"""The feature sets that each series has, and whether all that is stored of it has them."""

_WHOLE: Final = "the venue answers the whole range itself"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the series of a job before it is planned.

    `covered` is what coverage explains, `stored` the range that holds all there is of a series.
    `marks` include the sets that the job itself asks for. `pending` holds what other jobs may have
    stored, but not yet computed for these sets.
    """

    covered: Covered = field(default_factory=dict[Series, Sequence[TimeRange]])
    stored: Mapping[Series, TimeRange] = field(default_factory=dict[Series, TimeRange])
    marks: Marks = field(default_factory=dict[Series, Mapping[FeatureSetRef, bool]])
    pending: Covered = field(default_factory=dict[Series, Sequence[TimeRange]])


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The build `new` of a feature set, which is to take the place of `old`."""

    feature_set: str
    new: FeatureBuildRef
    old: FeatureBuildRef


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One series of a job: the window on the grid, and the queues of chunks that it takes.

    `rebuild` is what a replay does.
    """

    task_id: UUID
    series: Series
    start: datetime
    end: datetime
    queues: tuple[PlannedQueue, ...]
    slots_expected: int
    slots_covered: int
    feature_sets: tuple[FeatureSetRef, ...]
    rebuild: Rebuild | None = None
    route_reason: str = _WHOLE

    @property
    def chunks_total(self) -> int:
        """Chunks of all routes."""
        return sum(queue.chunks_total for queue in self.queues)


def plan_job(
    command: SubmitJobV1, profile: ExchangeProfile, known: Known, now: datetime
) -> list[TaskPlan]:
    """A plan for each series of the command, symbols outermost, as the user named them.

    `now` cuts the range to candles that have closed. The command was checked before.
    A task whose series has feature sets waits for them, whoever asked for them first: its fetch
    chunks carry all that the series has. History is computed only for a job that asks.
    """
    frames = [Timeframe.parse(name) for name in dict.fromkeys(command.timeframes)]
    windows = [_window(frame, command.start, command.end, now) for frame in frames]
    return [
        _plan(
            command,
            Series(command.exchange, symbol, frame.name),
            known,
            window=window,
            oldest=profile.oldest_within_reach(frame, now),
            profile=profile,
        )
        for symbol in dict.fromkeys(command.symbols)
        for frame, window in zip(frames, windows, strict=True)
    ]


def task_id(job_id: UUID, series: Series) -> UUID:
    """The same for the same series of the same job."""
    return uuid5(job_id, series.text)


def fetch_queue(
    frame: Timeframe,
    ranges: Iterable[TimeRange],
    feature_sets: tuple[FeatureSetRef, ...],
    *,
    page_size: int,
) -> PlannedQueue:
    """Ask the venue for these ranges, a page a chunk."""
    works = (Work(part, chunks_of(frame, part, page_size), feature_sets) for part in ranges)
    return line_up(Route.REST, page_size, works)


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


def within_reach_first(ranges: Iterable[TimeRange], oldest: datetime | None) -> list[TimeRange]:
    """The ranges, cut at the oldest slot within reach: what is within it before all else, since it
    will soon not be."""
    if oldest is None:
        return list(ranges)
    parts: list[TimeRange] = []
    for each in ranges:
        if each.start < oldest < each.end:
            parts += [TimeRange(each.start, oldest), TimeRange(oldest, each.end)]
        else:
            parts.append(each)
    return sorted(parts, key=lambda part: part.start < oldest)


def route_reason(
    frame: Timeframe,
    profile: ExchangeProfile,
    ranges: Iterable[TimeRange],
    oldest: datetime | None,
) -> str:
    """Why the venue is asked for ranges that were cut at the oldest slot within reach."""
    beyond = [part for part in ranges if oldest is not None and part.start < oldest]
    older = sum(frame.count(part.start, part.end) for part in beyond)
    if not older:
        return _WHOLE
    return (
        f"the venue answers its newest {profile.reach} candles alone: {older} of those asked for"
        " are older"
    )


def _plan(
    command: SubmitJobV1,
    series: Series,
    known: Known,
    *,
    window: tuple[datetime, datetime],
    oldest: datetime | None,
    profile: ExchangeProfile,
) -> TaskPlan:
    frame = Timeframe.parse(series.timeframe)
    marks = known.marks.get(series, {})
    asked = _asked(*window, known.covered.get(series, ()))
    compute = compute_queue(
        frame,
        {feature_set: marks[feature_set] for feature_set in command.feature_sets},
        window=window,
        stored=known.stored.get(series),
        pending=known.pending.get(series, ()),
    )
    ranges = within_reach_first(asked, oldest)
    fetch = fetch_queue(frame, ranges, tuple(marks), page_size=profile.page_size)
    expected = frame.count(*window)
    return TaskPlan(
        task_id=task_id(command.job_id, series),
        series=series,
        start=window[0],
        end=window[1],
        queues=tuple(queue for queue in (compute, fetch) if queue.ranges),
        slots_expected=expected,
        slots_covered=expected - sum(frame.count(part.start, part.end) for part in asked),
        feature_sets=tuple(marks),
        route_reason=route_reason(frame, profile, ranges, oldest),
    )
