"""How what is asked of a series is fetched: in which queues, and why so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.market.archive_names import missing_names
from candlelog.market.profile import ExchangeProfile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from coordinator.domain.archived import Archived
from coordinator.domain.queues import PlannedQueue, Work, chunks_of, line_up
from coordinator.domain.routes import Route
from coordinator.domain.routing import FilePart, Purpose, Rules, Ways, cut_at, route
from coordinator.domain.seams import joined, twice

WHOLE: Final = "the venue answers the whole range itself"


@dataclass(frozen=True, slots=True)
class Fetching:
    """Queues of what goes to the venue and of what is read from files; `twice` slots go both ways.
    `missing` are the files that would hold what goes neither way."""

    queues: tuple[PlannedQueue, ...]
    route: Literal["rest", "archive", "both"] = "rest"
    reason: str = WHOLE
    missing: tuple[str, ...] = ()
    twice: int = 0


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a series, and the feature sets that its chunks carry."""

    series: Series
    ranges: Sequence[TimeRange]
    feature_sets: tuple[FeatureSetRef, ...]


def fetch(
    ask: Ask,
    profile: ExchangeProfile,
    archived: Archived | None,
    *,
    purpose: Purpose,
    now: datetime,
) -> Fetching:
    """Fetch the ranges: from the venue, and where there is an archive from its files too."""
    frame = Timeframe.parse(ask.series.timeframe)
    oldest = profile.oldest_within_reach(frame, now)
    if archived is None or profile.archive is None:
        ranges = within_reach_first(ask.ranges, oldest)
        queues = _queues(_venue_queue(frame, ask, ranges, page_size=profile.page_size))
        return Fetching(queues, reason=_reason_of_venue(frame, profile, ranges, oldest))
    rules = Rules(purpose, frame, profile.page_size, oldest)
    files = archived.files.get(ask.series, ())
    ways = route(ask.ranges, files, rules)
    if purpose == "auto":
        ways = joined(ways, files, rules)
    rest = within_reach_first(ways.rest, oldest)
    return Fetching(
        _queues(
            _file_queue(frame, ask, ways.files),
            _venue_queue(frame, ask, rest, page_size=profile.page_size),
        ),
        _route(ways, purpose),
        _reason(frame, ways, archived.damaged) or _reason_of_venue(frame, profile, rest, oldest),
        tuple(missing_names(profile.archive, ask.series, ways.left, now)),
        twice(ways, frame),
    )


def within_reach_first(ranges: Iterable[TimeRange], oldest: datetime | None) -> list[TimeRange]:
    """The ranges, cut at the oldest slot within reach: what is within it before all else, since it
    will soon not be."""
    if oldest is None:
        return list(ranges)
    within, beyond = cut_at(oldest, ranges)
    return within + beyond


def _queues(*queues: PlannedQueue) -> tuple[PlannedQueue, ...]:
    return tuple(queue for queue in queues if queue.ranges)


def _venue_queue(
    frame: Timeframe, ask: Ask, ranges: Iterable[TimeRange], *, page_size: int
) -> PlannedQueue:
    """A page a chunk."""
    works = (Work(part, chunks_of(frame, part, page_size), ask.feature_sets) for part in ranges)
    return line_up(Route.REST, page_size, works)


def _file_queue(frame: Timeframe, ask: Ask, parts: Sequence[FilePart]) -> PlannedQueue:
    """A chunk for each part of a file."""
    most = max((frame.count(each.part.start, each.part.end) for each in parts), default=1)
    works = (Work(each.part, 1, ask.feature_sets, file=each.file) for each in parts)
    return line_up(Route.ARCHIVE, most, works)


def _reason_of_venue(
    frame: Timeframe,
    profile: ExchangeProfile,
    ranges: Iterable[TimeRange],
    oldest: datetime | None,
) -> str:
    """Why the venue is asked for ranges that were cut at the oldest slot within reach."""
    older = _slots(frame, (part for part in ranges if oldest is not None and part.start < oldest))
    if not older:
        return WHOLE
    return (
        f"the venue answers its newest {profile.reach} candles alone: {older} of those asked for"
        " are older"
    )


def _route(ways: Ways, purpose: Purpose) -> Literal["rest", "archive", "both"]:
    if ways.files and ways.rest:
        return "both"
    only_files = ways.files or ways.left or purpose == "archive"
    return "archive" if only_files and not ways.rest else "rest"


def _reason(frame: Timeframe, ways: Ways, damaged: Sequence[str]) -> str:
    """Why so; empty where the venue is asked for everything, as if there were no archive."""
    if not (ways.files or ways.left):
        return ""
    files = len({each.file.path for each in ways.files})
    told = [
        (_slots(frame, (each.part for each in ways.files)), f"in {files} files of the archive"),
        (_slots(frame, ways.rest), "asked of the venue"),
        (_slots(frame, ways.left), "in no file that is there"),
        (twice(ways, frame), "both ways, to compare them"),
    ]
    reasons = [f"{slots} candles {where}" for slots, where in told if slots]
    if ways.left:
        reasons += [f"{path} cannot be read: download it again" for path in damaged]
    return "; ".join(reasons)


def _slots(frame: Timeframe, ranges: Iterable[TimeRange]) -> int:
    return sum(frame.count(part.start, part.end) for part in ranges)
