"""Which feature sets a series has: rows of `feature_builds`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from candlelog.events.replay import ReplayRequestedV1
from candlelog.market.series import Series

State = Literal["serving", "beside", "closed"]


@dataclass(frozen=True, slots=True)
class Build:
    """Features of a series by one version of a set; 0 is the build that follows the candles."""

    series: Series
    feature_set: str
    version: int
    build: int


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


def to_note(builds: Sequence[Build], noted: dict[Build, State]) -> dict[Build, State]:
    """What is to be written, given what stands of these series.

    A build that stands is left as it is, whatever became of it since it was asked for. The first
    build of a set that a series gets is served; a later one stands beside it.
    """
    states = dict(noted)
    served = {
        (build.series, build.feature_set) for build, state in noted.items() if state == "serving"
    }
    new: dict[Build, State] = {}
    for build in builds:
        if build in states:
            continue
        place = (build.series, build.feature_set)
        new[build] = states[build] = "beside" if place in served else "serving"
        served.add(place)
    return new
