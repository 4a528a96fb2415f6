"""Which of the two builds of a replay may be served, and which may be given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from candlelog.events.feature_sets import FeatureBuildRef
from candlelog.events.jobs import SwitchAction
from candlelog.market.series import Series
from candlelog.market.states import TERMINAL, Status
from coordinator.domain.planning import Rebuild


@dataclass(frozen=True, slots=True)
class Standing:
    """How a series of a replay stands: what is served of it, and how often that was decided."""

    series: Series
    rebuild: Rebuild
    served: FeatureBuildRef
    number: int


@dataclass(frozen=True, slots=True)
class Reopened:
    """Builds of a set of a series that were given up and are wanted again, by decision `number`."""

    series: Series
    feature_set: str
    builds: Sequence[FeatureBuildRef]
    number: int


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay as a whole; one that was not planned, or of which nothing was stored, has no
    `standings`. `running` is another one, of a series and set that this one has."""

    status: Status
    closed: bool
    standings: Sequence[Standing]
    running: UUID | None


def refusal(replay: Replay | None, action: SwitchAction) -> tuple[str, str] | None:
    """Code and reason why the action is not possible; None where it is."""
    if replay is None or replay.status is Status.DELETED:
        return "unknown_replay", "there is no such replay of features"
    if replay.status not in TERMINAL:
        return "replay_not_over", f"the replay is {replay.status}: wait for its end, or cancel it"
    if not replay.standings:
        return "replay_incomplete", f"the replay is {replay.status}: nothing was computed by it"
    if replay.closed:
        return "replay_closed", "the replay is closed"
    return None if action == "close" else _not_to_switch(replay, action)


def target(standing: Standing, action: SwitchAction) -> FeatureBuildRef:
    """The build that is served after the action."""
    return standing.rebuild.new if action == "switch" else standing.rebuild.old


def rows_lost(lost: int, action: SwitchAction) -> tuple[str, str]:
    """Code and reason where `lost` candles have features now, and would not after the action."""
    way = "replay the whole series" if action == "switch" else "replay the older version"
    reason = f"{lost} candles would lose their features: {way}, and switch to that"
    return "features_missing", reason


def _not_to_switch(replay: Replay, action: SwitchAction) -> tuple[str, str] | None:
    if replay.running is not None:
        return "another_replay_runs", (
            f"replay {replay.running} computes the same features: wait for its end, or cancel it"
        )
    if action == "switch" and replay.status is not Status.COMPLETED:
        return "replay_incomplete", f"the replay is {replay.status}: features are missing"
    return _misplaced(replay.standings, action)


def _misplaced(standings: Sequence[Standing], action: SwitchAction) -> tuple[str, str] | None:
    """Unless every series serves the other build of the two."""
    if all(each.served == _origin(each, action) for each in standings):
        return None
    if all(each.served == target(each, action) for each in standings):
        if action == "switch":
            return "already_switched", "the replay is what is served already"
        return "not_switched", "the replay is not what is served"
    other = next(each for each in standings if each.served != _origin(each, action))
    return "superseded", (
        f"{other.series.text} serves {other.rebuild.feature_set}/{other.served.version}, build "
        f"{other.served.build}, since another replay was switched: that one comes first"
    )


def _origin(standing: Standing, action: SwitchAction) -> FeatureBuildRef:
    return standing.rebuild.old if action == "switch" else standing.rebuild.new
