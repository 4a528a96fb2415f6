"""From gaps to one plan a series: their slots are asked for, and no others."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from candlelog.events.jobs import FillGapsV1
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.archived import Archived
from coordinator.domain.fetching import Ask, fetch
from coordinator.domain.planning import Marks, TaskPlan, task_id


def plan_repair(
    command: FillGapsV1,
    profile: ExchangeProfile,
    marks: Marks,
    now: datetime,
    *,
    archived: Archived | None = None,
) -> list[TaskPlan]:
    """A plan for each series of the command, whatever coverage says of its gaps.

    Gaps that touch are one range; `now` cuts them to candles that have closed. The command was
    checked before. Chunks carry the feature sets of their series, and wait for them. What the venue
    does not reach is read from files, where there are any.
    """
    return list(_plans(command, profile, marks, archived, now=now))


def _plans(
    command: FillGapsV1,
    profile: ExchangeProfile,
    marks: Marks,
    archived: Archived | None,
    *,
    now: datetime,
) -> Iterator[TaskPlan]:
    for series, gaps in _by_series(command).items():
        frame = Timeframe.parse(series.timeframe)
        closed = frame.floor(now)
        asked = merge(
            TimeRange(gap.start, min(gap.end, closed)) for gap in gaps if gap.start < closed
        )
        sets = tuple(marks.get(series, {}))
        fetching = fetch(Ask(series, asked, sets), profile, archived, purpose="repair", now=now)
        first = min(gap.start for gap in gaps)
        yield TaskPlan(
            task_id=task_id(command.job_id, series),
            series=series,
            start=asked[0].start if asked else first,
            end=asked[-1].end if asked else first,
            queues=fetching.queues,
            slots_expected=sum(frame.count(part.start, part.end) for part in asked),
            slots_covered=0,
            feature_sets=sets,
            route=fetching.route,
            route_reason=fetching.reason,
        )


def _by_series(command: FillGapsV1) -> dict[Series, list[TimeRange]]:
    """The gaps of each series, in the order in which the command first names these."""
    found: defaultdict[Series, list[TimeRange]] = defaultdict(list)
    for gap in command.gaps:
        series = Series(command.exchange, gap.symbol, gap.timeframe)
        found[series].append(TimeRange(gap.start, gap.end))
    return dict(found)
