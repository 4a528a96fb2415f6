"""What a group of events asks for, series by series."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from candlelog.events.candles import CandleBatchHeaderV1
from candlelog.events.feature_sets import FeatureSetRef
from candlelog.events.features import ChunkFeatures
from candlelog.events.replay import ReplayRequestedV1
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.series import Series


class Build(NamedTuple):
    """A version of a feature set, and which of its builds."""

    feature_set: FeatureSetRef
    build: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A part of a chunk that waits for the features of its span; `chunk.features` is to be
    counted."""

    chunk: ChunkFeatures
    span: TimeRange


@dataclass(slots=True)
class Work:
    """What is to be computed of a series: spans whose candles may have changed, and for whom.

    `builds` are asked for; of `sets`, which batches carry, whatever the series has is meant.
    """

    spans: list[TimeRange] = field(default_factory=list[TimeRange])
    sets: list[FeatureSetRef] = field(default_factory=list[FeatureSetRef])
    builds: set[Build] = field(default_factory=set[Build])
    asked: list[Asked] = field(default_factory=list[Asked])

    def meant(self, kept: Collection[Build]) -> list[Build]:
        """The builds to compute, in one order, given those that are to be kept up. Of a set that
        has none of these yet it is the first: the note of it is on its way.
        """
        noted = [build.feature_set for build in kept]
        first = [Build(each, FIRST_BUILD) for each in self.sets if each not in noted]
        return sorted({*self.builds, *first, *kept}, key=lambda each: (each[0].text, each[1]))


Request = CandleBatchHeaderV1 | ReplayRequestedV1

FIRST_BUILD: Final = 0


def work_of(events: Iterable[Request]) -> dict[Series, Work]:
    """The work of a group; spans of a series that overlap or touch are one."""
    found: dict[Series, Work] = {}
    for event in events:
        if isinstance(event, CandleBatchHeaderV1):
            _add_batch(found, event)
        else:
            _add_request(found, event)
    for work in found.values():
        work.spans = merge(work.spans)
    return found


def sets_asked(event: Request) -> tuple[FeatureSetRef, ...]:
    """The feature sets that an event names."""
    return event.feature_sets if isinstance(event, CandleBatchHeaderV1) else (event.feature_set,)


def _add_batch(found: dict[Series, Work], header: CandleBatchHeaderV1) -> None:
    if not header.feature_sets and header.answer == "empty":
        return
    span = TimeRange(header.start, header.end)
    work = found.setdefault(Series(header.exchange, header.symbol, header.timeframe), Work())
    work.sets += header.feature_sets
    work.spans.append(span)
    if header.feature_sets:
        part = {"part": header.part, "last_part": header.last_part}
        work.asked.append(Asked(_chunk(header).model_copy(update=part), span))


def _add_request(found: dict[Series, Work], event: ReplayRequestedV1) -> None:
    span = TimeRange(event.start, event.end)
    work = found.setdefault(Series(event.exchange, event.symbol, event.timeframe), Work())
    work.builds.add(Build(event.feature_set, event.build))
    work.spans.append(span)
    work.asked.append(Asked(_chunk(event), span))


def _chunk(event: Request) -> ChunkFeatures:
    return ChunkFeatures(
        job_id=event.job_id,
        task_id=event.task_id,
        chunk_id=event.chunk_id,
        generation=event.generation,
        release=event.release,
        features=0,
    )
