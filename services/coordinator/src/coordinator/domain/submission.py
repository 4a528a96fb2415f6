"""What a job must be to be planned; the API checks the same, and this is the last gate."""

from collections.abc import Collection, Iterable

from candlelog.errors import Invalid
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.jobs import FillGapsV1, GapToFill, ReplayFeaturesV1, SubmitJobV1
from candlelog.market.profile import ExchangeProfile, profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe

Submission = SubmitJobV1 | FillGapsV1
"""The commands that make a job which asks a venue."""

NewJobCommand = Submission | ReplayFeaturesV1
"""The commands that make a job."""


def check(command: NewJobCommand, archives: Collection[str] = ()) -> ExchangeProfile:
    """The profile of the exchange; `Invalid` says which rule the command breaks, whatever is
    stored. `archives` names those that there are."""
    venue = profile(command.exchange)
    match command:
        case SubmitJobV1():
            _check_job(command, venue, archives)
        case FillGapsV1():
            _check_timeframes((gap.timeframe for gap in command.gaps), venue)
            for gap in command.gaps:
                _check_gap(gap)
        case ReplayFeaturesV1(start=start, end=end):
            _check_timeframes(command.timeframes, venue)
            if start is not None and end is not None and start >= end:
                raise Invalid("start must be before end")
    return venue


def series_of(command: NewJobCommand) -> list[Series]:
    """Every series that the command names, each once, symbols outermost."""
    match command:
        case SubmitJobV1() | ReplayFeaturesV1():
            pairs = [(symbol, frame) for symbol in command.symbols for frame in command.timeframes]
        case FillGapsV1():
            pairs = [(gap.symbol, gap.timeframe) for gap in command.gaps]
    return [Series(command.exchange, *pair) for pair in dict.fromkeys(pairs)]


def wanted_of_files(command: Submission) -> dict[Series, TimeRange]:
    """What files may be read for: of a repair what the venue may not reach, and nothing of a job
    that names the venue alone."""
    if isinstance(command, SubmitJobV1):
        if command.source == "rest":
            return {}
        return dict.fromkeys(series_of(command), TimeRange(command.start, command.end))
    if profile(command.exchange).reach is None:
        return {}
    windows: dict[Series, TimeRange] = {}
    for gap in command.gaps:
        series = Series(command.exchange, gap.symbol, gap.timeframe)
        known = windows.get(series, gap)
        windows[series] = TimeRange(min(known.start, gap.start), max(known.end, gap.end))
    return windows


def sets_of(command: Submission) -> tuple[FeatureSetRef, ...]:
    """The feature sets that the command asks for; a repair asks for none of its own."""
    return command.feature_sets if isinstance(command, SubmitJobV1) else ()


def _check_job(command: SubmitJobV1, venue: ExchangeProfile, archives: Collection[str]) -> None:
    _check_timeframes(command.timeframes, venue)
    if command.start >= command.end:
        raise Invalid("start must be before end")
    has_archive = venue.archive is not None and venue.archive.name in archives
    if command.source == "archive" and not has_archive:
        raise Invalid(f"there is no archive of {venue.title} to read from")
    if command.features and not command.feature_sets:
        raise Invalid("features are asked for, but no feature set is named")


def _check_timeframes(names: Iterable[str], venue: ExchangeProfile) -> None:
    for name in names:
        Timeframe.parse(name)
        if name not in venue.timeframes:
            known = ", ".join(venue.timeframes)
            raise Invalid(f"{venue.title} has no timeframe {name!r}; it has {known}")


def _check_gap(gap: GapToFill) -> None:
    frame = Timeframe.parse(gap.timeframe)
    what = f"the gap from {gap.start.isoformat()} to {gap.end.isoformat()} of {gap.symbol}"
    if gap.start >= gap.end:
        raise Invalid(f"{what} is empty: start must be before end")
    if (frame.floor(gap.start), frame.floor(gap.end)) != (gap.start, gap.end):
        raise Invalid(f"{what} is not on the grid of {gap.timeframe}")
