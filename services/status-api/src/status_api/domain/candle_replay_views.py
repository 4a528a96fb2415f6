"""What a replay of candles looks like from outside."""

from datetime import datetime
from typing import Final, Literal

from pydantic import Field

from candlelog.market.comparison import Comparison, Difference
from status_api.domain.rows import ShadowRow
from status_api.domain.views import JobView, View

_MOST_SERIES: Final = 100


class PartsView(View):
    """How far the rebuild is."""

    records_read: int = Field(description="offsets of the topic")
    records_total: int = Field(description="as far as partitions have begun")
    answers_copied: int = Field(description="answers of venues that the topic no longer holds")
    answers_total: int


class LargestChange(View):
    """Of one column: the distance of the two values over the larger one, 0 to 1."""

    column: str
    largest_relative_change: float


class CandleDifference(View):
    """A series that is not the same in both."""

    exchange: str
    symbol: str
    timeframe: str
    rows_equal: int
    rows_changed: int
    rows_only_live: int
    rows_only_shadow: int
    first: datetime = Field(description="open time of the first candle that differs")
    last: datetime = Field(description="open time of the last one")
    columns: tuple[LargestChange, ...] = Field(description="those that changed")


class ComparisonView(View):
    """The shadow and what is served, as both are now. Values count, not when they were read."""

    series_compared: int
    series_different: int
    rows_compared: int = Field(description="candles that are in both")
    rows_equal: int
    rows_changed: int
    rows_only_live: int = Field(description="candles that would be lost by a switch")
    rows_only_shadow: int
    series: tuple[CandleDifference, ...] = Field(
        description="the first 100 that differ, those with most differences first"
    )


class CandleReplayView(View):
    """A replay of candles, and what it has changed."""

    job: JobView
    kind: Literal["candles"]
    switched: bool = Field(description="whether readers see what was rebuilt")
    closed: bool = Field(description="whether what is not served was dropped")
    parts: PartsView
    shadow_missing: bool = Field(
        description="whether what was rebuilt is gone, though nobody closed the replay: close it"
    )
    comparison: ComparisonView | None = Field(
        description="null until rebuilt, once closed, and when the shadow is missing"
    )


def candle_replay_view(
    job: JobView, shadow: ShadowRow, compared: Comparison | None, *, missing: bool
) -> CandleReplayView:
    """The replay as it is known to be."""
    return CandleReplayView(
        job=job,
        kind="candles",
        switched=shadow.switched,
        closed=shadow.closed,
        parts=_parts(shadow),
        shadow_missing=missing,
        comparison=None if compared is None else _comparison(compared),
    )


def _parts(shadow: ShadowRow) -> PartsView:
    sums = {
        origin: [
            sum(figures[place] for name, figures in shadow.parts.items() if name.startswith(origin))
            for place in (0, 1)
        ]
        for origin in ("log", "store")
    }
    return PartsView(
        records_read=sums["log"][0],
        records_total=sums["log"][1],
        answers_copied=sums["store"][0],
        answers_total=sums["store"][1],
    )


def _comparison(found: Comparison) -> ComparisonView:
    differences = found.differences
    changed = sum(each.changed for each in differences)
    return ComparisonView(
        series_compared=found.series,
        series_different=len(differences),
        rows_compared=found.equal + changed,
        rows_equal=found.equal,
        rows_changed=changed,
        rows_only_live=sum(each.only_live for each in differences),
        rows_only_shadow=sum(each.only_shadow for each in differences),
        series=tuple(_difference(each) for each in differences[:_MOST_SERIES]),
    )


def _difference(found: Difference) -> CandleDifference:
    return CandleDifference(
        exchange=found.series.exchange,
        symbol=found.series.symbol,
        timeframe=found.series.timeframe,
        rows_equal=found.equal,
        rows_changed=found.changed,
        rows_only_live=found.only_live,
        rows_only_shadow=found.only_shadow,
        first=found.first,
        last=found.last,
        columns=tuple(
            LargestChange(column=name, largest_relative_change=change)
            for name, change in found.largest.items()
            if change > 0
        ),
    )
