"""Replays of candles as tables: what differs, and what to type next."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape

from candlelog_client.cli.figures import count
from candlelog_client.cli.grid import grid

if TYPE_CHECKING:
    from candlelog_client.candle_replays import CandleDifference, CandleReplay


def differences(replay: "CandleReplay") -> RenderableType:
    """How far the rebuild is, or both sets as a whole and the series that differ."""
    found = replay.comparison
    if replay.shadow_missing:
        return "The shadow of the candles is gone: there is nothing to compare or to switch to."
    if found is None:
        parts = replay.parts
        return (
            f"{count(parts.records_read)} of {count(parts.records_total)} records read, "
            f"{count(parts.answers_copied)} of {count(parts.answers_total)} older answers copied"
        )
    whole = grid("series", "compared", "equal", "changed", "only live", "only shadow")
    whole.add_row(
        *map(
            count,
            (
                found.series_compared,
                found.rows_compared,
                found.rows_equal,
                found.rows_changed,
                found.rows_only_live,
                found.rows_only_shadow,
            ),
        )
    )
    if not found.series:
        return Group(whole, "", "No candle differs.")
    return Group(whole, "", _series(found.series, found.series_different))


def _series(shown: "tuple[CandleDifference, ...]", different: int) -> RenderableType:
    table = grid(
        "exchange", "symbol", "timeframe", "changed", "only live", "only shadow", "from", "to",
        "largest change", whole=("symbol",),
    )  # fmt: skip
    for each in shown:
        largest = max(each.columns, key=lambda one: one.largest_relative_change, default=None)
        table.add_row(
            each.exchange,
            escape(each.symbol),
            each.timeframe,
            count(each.rows_changed),
            count(each.rows_only_live),
            count(each.rows_only_shadow),
            f"{each.first:%Y-%m-%d %H:%M}",
            f"{each.last:%Y-%m-%d %H:%M}",
            "–" if largest is None else f"{largest.column} {largest.largest_relative_change:.3g}",
        )
    hidden = different - len(shown)
    return Group(table, f"and {count(hidden)} series more") if hidden else table


def what_next(replay: "CandleReplay") -> str:
    """One line: what can be done with the replay."""
    job_id = replay.job.id
    if replay.closed:
        return "the replay is closed"
    if not replay.job.finished:
        return (
            f"the replay is {replay.job.status}; follow it: candlelog jobs watch {job_id}; "
            f"give it up: candlelog replay close {job_id}"
        )
    if replay.shadow_missing:
        return f"end the replay: candlelog replay close {job_id}"
    if replay.switched:
        return (
            f"the rebuilt candles are served; back: candlelog replay switch-back {job_id}; "
            f"drop the old ones: candlelog replay close {job_id}"
        )
    if replay.job.status == "completed":
        return (
            f"serve the rebuilt candles: candlelog replay switch {job_id}; "
            f"drop them: candlelog replay close {job_id}"
        )
    return f"the replay is {replay.job.status}"
