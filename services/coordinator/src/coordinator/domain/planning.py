"""From a job to one plan a series: which slots are asked for, and in how many chunks.

A plan never lists its chunks. It lists ranges, each with the numbers of its chunks; what chunk `n`
asks follows from its range and the slots of a chunk (`coordinator.domain.pieces`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from candlelog.events.feature_sets import FeatureBuildRef, FeatureSetRef
from candlelog.events.jobs import SubmitJobV1
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange, merge, overlap, subtract
from candlelog.market.series import Series
from candlelog.market.states import Action
from candlelog.market.timeframe import Timeframe
from coordinator.domain.archived import Archived
from coordinator.domain.fetching import WHOLE, Ask, Fetching, fetch
from coordinator.domain.history import compute_queue
from coordinator.domain.outcomes import TaskCounts, task_end
from coordinator.domain.queues import PlannedQueue
from coordinator.domain.routing import HeldFile

Covered = Mapping[Series, Sequence[TimeRange]]
"""Ranges of each series: on its grid, apart, in order of time."""

Marks = Mapping[Series, Mapping[FeatureSetRef, bool]]
"""The feature sets that each series has, and whether all that is stored of it has them."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the series of a job before it is planned.

    `covered` is what coverage explains, `stored` the range that holds all there is of a series.
    `marks` include the sets that the job itself asks for. `pending` holds what other jobs may have
    stored, but not yet computed for these sets. `archived` is what the archive of the exchange has;
    None where there is none, or files are not wanted.
    """

    covered: Covered = field(default_factory=dict[Series, Sequence[TimeRange]])
    stored: Mapping[Series, TimeRange] = field(default_factory=dict[Series, TimeRange])
    marks: Marks = field(default_factory=dict[Series, Mapping[FeatureSetRef, bool]])
    pending: Covered = field(default_factory=dict[Series, Sequence[TimeRange]])
    archived: Archived | None = None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The build `new` of a feature set, which is to take the place of `old`."""

    feature_set: str
    new: FeatureBuildRef
    old: FeatureBuildRef


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One series of a job: the window on the grid, and the queues of chunks that it takes.

    A slot that is fetched both ways, to compare them, is expected twice. `rebuild` is what a replay
    does.
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
    route: Literal["rest", "archive", "both"] = "rest"
    route_reason: str = WHOLE
    missing_files: tuple[str, ...] = ()
    """Files that would hold what nothing is asked for."""

    @property
    def files(self) -> int:
        """How many files are read."""
        ranges = (part for queue in self.queues for part in queue.ranges)
        return len({part.file.path for part in ranges if part.file is not None})

    @property
    def chunks_total(self) -> int:
        """Chunks of all routes."""
        return sum(queue.chunks_total for queue in self.queues)

    @property
    def end_at_once(self) -> Action | None:
        """How a task without a chunk ends; None where there is work to do."""
        asked = self.slots_expected - self.slots_covered
        return task_end(TaskCounts(self.chunks_total, 0, 0, asked, 0, 0))


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
            profile=profile,
            now=now,
        )
        for symbol in dict.fromkeys(command.symbols)
        for frame, window in zip(frames, windows, strict=True)
    ]


def task_id(job_id: UUID, series: Series) -> UUID:
    """The same for the same series of the same job."""
    return uuid5(job_id, series.text)


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


def _asked_again(
    start: datetime, end: datetime, asked: Sequence[TimeRange], files: Sequence[HeldFile]
) -> list[TimeRange]:
    """What was asked for, and what of the window files are read again for."""
    if start == end:
        return []
    window = TimeRange(start, end)
    again = [overlap(window, part) for file in files for part in file.again]
    return merge([*asked, *(part for part in again if part is not None)])


def _plan(
    command: SubmitJobV1,
    series: Series,
    known: Known,
    *,
    window: tuple[datetime, datetime],
    profile: ExchangeProfile,
    now: datetime,
) -> TaskPlan:
    frame = Timeframe.parse(series.timeframe)
    marks = known.marks.get(series, {})
    asked = _asked(*window, known.covered.get(series, ()))
    if known.archived is not None:
        asked = _asked_again(*window, asked, known.archived.files.get(series, ()))
    compute = compute_queue(
        frame,
        {feature_set: marks[feature_set] for feature_set in command.feature_sets},
        window=window,
        stored=known.stored.get(series),
        pending=known.pending.get(series, ()),
    )
    fetching = _fetching(command, Ask(series, asked, tuple(marks)), known, profile=profile, now=now)
    expected = frame.count(*window)
    covered = expected - sum(frame.count(part.start, part.end) for part in asked)
    return TaskPlan(
        task_id=task_id(command.job_id, series),
        series=series,
        start=window[0],
        end=window[1],
        queues=(*((compute,) if compute.ranges else ()), *fetching.queues),
        slots_expected=expected + fetching.twice,
        slots_covered=covered,
        feature_sets=tuple(marks),
        route=fetching.route,
        route_reason=fetching.reason,
        missing_files=fetching.missing,
    )


def _fetching(
    command: SubmitJobV1, ask: Ask, known: Known, *, profile: ExchangeProfile, now: datetime
) -> Fetching:
    purpose = "archive" if command.source == "archive" else "auto"
    return fetch(ask, profile, known.archived, purpose=purpose, now=now)
