"""From a replay to one plan a series: what is stored is computed once more, as another build."""

from collections.abc import Collection, Mapping
from datetime import datetime

from candlelog.errors import Invalid
from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.jobs import ReplayFeaturesV1
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.history import PIECE_SLOTS, all_of_time, cut
from coordinator.domain.planning import Rebuild, TaskPlan, task_id
from coordinator.domain.queues import Work, line_up
from coordinator.domain.routes import Route
from coordinator.domain.submission import series_of


def period(command: ReplayFeaturesV1, frame: Timeframe) -> TimeRange:
    """The open times that are replayed, on the grid; `Invalid` when there are none."""
    always = all_of_time(frame)
    start = always.start if command.start is None else frame.ceil(command.start)
    end = always.end if command.end is None else min(always.end, frame.ceil(command.end))
    return TimeRange(start, end)


def check_stored(
    command: ReplayFeaturesV1,
    stored: Mapping[Series, TimeRange],
    served: Mapping[Series, FeatureBuildRef],
) -> None:
    """Raise `Invalid` unless each series has candles in the range, and serves the set."""
    for series in series_of(command):
        if series not in stored:
            raise Invalid(f"{series.text} has no candles in this range")
        if series not in served:
            raise Invalid(f"{series.text} has no features of {command.feature_set.name!r}")


def next_build(command: ReplayFeaturesV1, taken: Collection[tuple[int, int]]) -> FeatureBuildRef:
    """What a series gets by this command, given version and number of every build it ever had.

    Build 0 of a version is the one that a job would compute, too: all there is of the series. A
    replay of less than that is never mistaken for it.
    """
    version = command.feature_set.version
    whole = command.start is None and command.end is None
    numbers = [build for known, build in taken if known == version]
    return FeatureBuildRef(version=version, build=max(numbers, default=-1 if whole else 0) + 1)


def plan_replay(
    command: ReplayFeaturesV1,
    rebuilds: Mapping[Series, Rebuild],
    stored: Mapping[Series, TimeRange],
) -> list[TaskPlan]:
    """A plan for each series of the command; `stored` is where its candles are, on the grid."""
    return [
        _plan(command, series, rebuilds[series], stored[series]) for series in series_of(command)
    ]


def slots_between(frame: Timeframe, first: datetime, last: datetime) -> TimeRange:
    """The slots from one candle to another, with both."""
    return TimeRange(first, frame.advance(last, 1))


def _plan(
    command: ReplayFeaturesV1, series: Series, rebuild: Rebuild, stored: TimeRange
) -> TaskPlan:
    frame = Timeframe.parse(series.timeframe)
    sets = (command.feature_set,)
    works = (
        Work(part, chunks, sets, rebuild.new.build)
        for part, chunks in cut(frame, period(command, frame), stored)
    )
    return TaskPlan(
        task_id=task_id(command.job_id, series),
        series=series,
        start=stored.start,
        end=stored.end,
        queues=(line_up(Route.FEATURES, PIECE_SLOTS, works),),
        slots_expected=0,
        slots_covered=0,
        feature_sets=sets,
        rebuild=rebuild,
    )
