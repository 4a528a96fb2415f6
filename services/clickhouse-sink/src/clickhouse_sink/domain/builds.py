"""Which feature sets a series has: rows of `feature_builds`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from candlelog.events.replay import BuildsChangedV1, ReplayRequestedV1
from candlelog.market.series import Series

State = Literal["serving", "beside", "closed"]


@dataclass(frozen=True, slots=True)
class Build:
    """Features of a series by one version of a set; 0 is the build that follows the candles."""

    series: Series
    feature_set: str
    version: int
    build: int


@dataclass(frozen=True, slots=True)
class Note:
    """What is written of a build. The higher `number` holds; 0 is what the sink found itself."""

    state: State
    number: int = 0


def wanted(requests: Iterable[ReplayRequestedV1]) -> list[Build]:
    """The builds that the requests need, each once, in order."""
    return list(
        dict.fromkeys(
            Build(
                Series(request.exchange, request.symbol, request.timeframe),
                request.feature_set.name,
                request.feature_set.version,
                request.build,
            )
            for request in requests
        )
    )


def decided(events: Iterable[BuildsChangedV1]) -> dict[Build, Note]:
    """What the events say of builds, whatever their order."""
    notes: dict[Build, Note] = {}
    for event in events:
        series = Series(event.exchange, event.symbol, event.timeframe)
        for each in event.builds:
            build = Build(series, event.feature_set, each.version, each.build)
            if build not in notes or notes[build].number < event.number:
                notes[build] = Note(each.state, event.number)
    return notes


def to_note(builds: Sequence[Build], noted: Mapping[Build, State]) -> dict[Build, Note]:
    """What is to be written, given what stands of these series.

    A build that stands is left as it is, whatever became of it since it was asked for. The first
    build of a set that a series gets is served; a later one stands beside it.
    """
    states = set(noted)
    served = {
        (build.series, build.feature_set) for build, state in noted.items() if state == "serving"
    }
    new: dict[Build, Note] = {}
    for build in builds:
        if build in states:
            continue
        place = (build.series, build.feature_set)
        new[build] = Note("beside" if place in served else "serving")
        states.add(build)
        served.add(place)
    return new
