"""Replays as tables: what differs, what is served, and what to type next."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from candlelog_client.cli.figures import count
from candlelog_client.cli.grid import grid

if TYPE_CHECKING:
    from candlelog_client.results import Build, Replay, ReplayedSeries

_COLOURS = {"serving": "green", "beside": "cyan", "closed": "red"}


def differences(replay: "Replay") -> RenderableType:
    """The rows of each series that differ, then the columns they differ in."""
    if not replay.series:
        return "Nothing is planned yet."
    rows = grid(
        "symbol", "timeframe", "compared", "equal", "changed", "only old", "only new",
        whole=("symbol",),
    )  # fmt: skip
    columns = grid("symbol", "timeframe", "column", "changed", "largest change", whole=("column",))
    for each in replay.series:
        found = each.difference
        if found is None:
            continue
        name = (escape(each.symbol), each.timeframe)
        rows.add_row(
            *name,
            count(found.rows_compared),
            count(found.rows_equal),
            count(found.rows_changed),
            count(found.rows_only_old),
            count(found.rows_only_new),
        )
        for column in found.columns_changed:
            share = column.largest_relative_change
            largest = "–" if share is None else f"{share:.3g}"
            columns.add_row(*name, column.column, count(column.rows_changed), largest)
        for only, where in ((found.columns_only_old, "old"), (found.columns_only_new, "new")):
            for column in only:
                columns.add_row(*name, column, f"only {where}", "–")
    changed: RenderableType = columns if columns.row_count else "No column differs."
    return Group(served(replay), "", rows, "", changed)


def served(replay: "Replay") -> RenderableType:
    """The two builds of each series, and which of them is served."""
    table = grid("symbol", "timeframe", "old", "new", whole=("symbol", "old", "new"))
    for each in replay.series:
        name = replay.feature_set.partition("/")[0]
        builds = (_build(name, build) for build in (each.old, each.new))
        table.add_row(escape(each.symbol), each.timeframe, *builds)
    return table


def what_next(replay: "Replay") -> str:
    """One line: what can be done with the replay."""
    job_id = replay.job.id
    if not replay.job.finished:
        return f"the replay is {replay.job.status}; follow it: candlelog jobs watch {job_id}"
    if any(_closed(each) for each in replay.series):
        return "the replay is closed"
    if replay.switched:
        return (
            f"the new features are served; back: candlelog replay switch-back {job_id}; "
            f"give up the old ones: candlelog replay close {job_id}"
        )
    if replay.job.status == "completed":
        return (
            f"serve the new features: candlelog replay switch {job_id}; "
            f"give them up: candlelog replay close {job_id}"
        )
    return f"the replay is {replay.job.status}; give it up: candlelog replay close {job_id}"


def _closed(series: "ReplayedSeries") -> bool:
    return "closed" in {series.old.state, series.new.state}


def _build(name: str, build: "Build") -> Text:
    state = build.state or "not begun"
    return Text(f"{name}/{build.version} build {build.build}: {state}", _COLOURS.get(state, ""))
