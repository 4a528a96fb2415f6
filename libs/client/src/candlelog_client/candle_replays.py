"""What the server says of a replay of candles."""

from datetime import datetime
from typing import Literal

from candlelog_client.results import Job, Result


class Parts(Result):
    """How far the rebuild is: records of the topic, and answers that it no longer holds."""

    records_read: int = 0
    records_total: int = 0
    answers_copied: int = 0
    answers_total: int = 0


class LargestChange(Result):
    """Of one column: the distance of the two values over the larger one, 0 to 1, at most."""

    column: str
    largest_relative_change: float


class CandleDifference(Result):
    """A series whose candles are not the same in the shadow and in what is served (`live`)."""

    exchange: str
    symbol: str
    timeframe: str
    rows_equal: int
    rows_changed: int
    rows_only_live: int
    rows_only_shadow: int
    first: datetime
    last: datetime
    columns: tuple[LargestChange, ...] = ()


class Comparison(Result):
    """The shadow and what is served, as both were when this was asked for; `series` are the first
    that differ, those with most differences before the others.
    """

    series_compared: int
    series_different: int
    rows_compared: int
    rows_equal: int
    rows_changed: int
    rows_only_live: int
    rows_only_shadow: int
    series: tuple[CandleDifference, ...] = ()


class CandleReplay(Result):
    """A replay of candles. `switched`: what was rebuilt is served; `closed`: the other was dropped;
    `shadow_missing`: it is gone, and nobody closed the replay.
    """

    job: Job
    kind: Literal["candles"] = "candles"
    switched: bool = False
    closed: bool = False
    parts: Parts = Parts()
    shadow_missing: bool = False
    comparison: Comparison | None = None
