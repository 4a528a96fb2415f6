"""A replay of candles: what comes after what, and what may be done with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid5

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.jobs import SwitchAction
from candlelog.events.rebuild import Origin, RebuildRequestedV1, ShadowStep
from candlelog.events.replay import ReplayRequestedV1
from candlelog.events.topics import CANDLES
from candlelog.log.partitioner import key_into
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.states import Status

Phase = Literal["opening", "log", "store", "rebuilt", "closed"]
Refusal = tuple[str, str]
"""Code and reason why an action is not possible."""

PARTS: Final = CANDLES.partitions
"""Of each origin: one a partition of the topic."""


@dataclass(frozen=True, slots=True)
class Shadow:
    """A replay of candles. `serving` is whether readers see what was rebuilt; `step` what the sink
    was asked for and has not said to be done.
    """

    job_id: UUID
    number: int
    phase: Phase
    status: Status
    version: int
    serving: bool
    step: ShadowStep | None
    correlation_id: UUID | None


class Span(NamedTuple):
    """Where candles of a series with features differ, and one of the builds it has."""

    series: Series
    times: TimeRange
    feature_set: FeatureSetRef
    build: int


def refusal(shadow: Shadow, action: SwitchAction, running: UUID | None) -> Refusal | None:
    """Code and reason why the action is not possible; None where it is.

    `running` is a replay of features that is not over.
    """
    if shadow.phase == "closed":
        return "replay_closed", "the replay is closed"
    if shadow.step is not None:
        return "step_not_done", f"the sink has not done the step before: {shadow.step}"
    if action == "close":
        return None
    if shadow.phase != "rebuilt":
        return "replay_not_over", "the candles are being rebuilt: wait for the end"
    if running is not None:
        return "another_replay_runs", f"replay {running} computes features: wait for its end"
    return _misplaced(shadow, action)


def requests(shadow: Shadow, origin: Origin) -> Iterator[RebuildRequestedV1]:
    """What begins the rebuild of each partition."""
    for partition in range(PARTS):
        yield RebuildRequestedV1(
            job_id=shadow.job_id,
            number=shadow.number,
            origin=origin,
            partition=partition,
            routing=key_into(partition, PARTS),
        )


def recomputations(shadow: Shadow, spans: Sequence[Span]) -> Iterator[ReplayRequestedV1]:
    """What makes the features of changed candles true again: one request has all builds that a
    series has computed.
    """
    for span in spans:
        name = f"{shadow.correlation_id}|{span.series.text}"
        yield ReplayRequestedV1(
            chunk_id=uuid5(shadow.job_id, name),
            job_id=shadow.job_id,
            task_id=uuid5(shadow.job_id, span.series.text),
            exchange=span.series.exchange,
            symbol=span.series.symbol,
            timeframe=span.series.timeframe,
            start=span.times.start,
            end=span.times.end,
            feature_set=span.feature_set,
            build=span.build,
            generation=0,
            release=1,
        )


def _misplaced(shadow: Shadow, action: SwitchAction) -> Refusal | None:
    if shadow.serving == (action == "switch_back"):
        return None
    if action == "switch":
        return "already_switched", "the replay is what is served already"
    return "not_switched", "the replay is not what is served"
