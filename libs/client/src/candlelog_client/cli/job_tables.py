"""Jobs and tasks as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from candlelog_client.cli.figures import count, duration, minute, percent, recently, speed
from candlelog_client.cli.grid import facts, grid

if TYPE_CHECKING:
    from candlelog_client.results import ActionResult, Fault, Figures, Job, Plan, Task

_SHOWN = 100
_COLOURS = {
    "completed": "green",
    "completed_with_errors": "yellow",
    "failed": "red",
    "cancelled": "red",
    "deleted": "red",
    "running": "cyan",
    "paused": "yellow",
}


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=_COLOURS.get(status, ""))


def jobs(rows: "Sequence[Job]") -> RenderableType:
    """A list of jobs, one a line."""
    if not rows:
        return "No jobs."
    columns = ("id", "status", "progress", "candles", "features", "created", "label")
    table = grid(*columns, whole=("id", "status", "progress", "candles", "features"))
    for row in rows:
        table.add_row(
            row.id,
            status_text(row.status),
            percent(row.progress_pct),
            count(row.candles_stored),
            count(row.features_stored),
            recently(row.created_at),
            escape(row.label or ""),
        )
    return table


def actions(rows: "Sequence[ActionResult]") -> RenderableType:
    """What became of an action, one job a line."""
    table = grid("id", "result", "reason", whole=("id", "result"))
    for row in rows:
        result = Text("done", style="green") if row.accepted else Text(row.code, style="red")
        table.add_row(escape(row.job_id), result, escape(row.reason))
    return table


def job(row: "Job") -> RenderableType:
    """One job: its figures, then its first tasks."""
    told = facts()
    told.add_row("job", row.id)
    told.add_row("exchange", escape(row.exchange))
    if row.label:
        told.add_row("label", escape(row.label))
    told.add_row("status", status_text(row.status))
    told.add_row("progress", percent(row.progress_pct))
    told.add_row("candles", _of(row.candles_stored, row.candles_expected))
    if row.features:
        sets = escape(", ".join(row.feature_sets))
        told.add_row("features", f"{count(row.features_stored)} ({sets})")
    if row.data_quality_score is not None:
        told.add_row("complete", f"{percent(100 * row.data_quality_score)} of what was audited")
    told.add_row("chunks", _chunks(row))
    told.add_row("speed", speed(row.candles_per_second))
    told.add_row("took", duration(row.duration_seconds))
    if row.error:
        told.add_row("error", _fault(row.error))
    parts: list[RenderableType] = [told]
    if row.tasks:
        parts.append(tasks(row.tasks))
    if row.tasks_total > len(row.tasks):
        parts.append(f"{row.tasks_total - len(row.tasks)} more tasks are not shown.")
    return Group(*parts)


def tasks(rows: "Sequence[Task]") -> Table:
    """Tasks, one a line."""
    columns = ("symbol", "timeframe", "status", "progress", "candles", "features", "chunks")
    table = grid(*columns, whole=("symbol", "progress", "candles", "features"))
    failed = any(row.error for row in rows)
    if failed:
        table.add_column("error")
    for row in rows:
        cells: list[RenderableType] = [
            escape(row.symbol),
            row.timeframe,
            status_text(row.status),
            percent(row.progress_pct),
            _of(row.candles_stored, row.candles_expected),
            count(row.features_stored),
            _chunks(row),
        ]
        if failed:
            cells.append(_fault(row.error) if row.error else "")
        table.add_row(*cells)
    return table


def plan(row: "Plan") -> RenderableType:
    """What a job would do: the sums, then its series."""
    told = facts()
    told.add_row("exchange", escape(row.exchange))
    told.add_row("candles", count(row.candles_expected))
    told.add_row("covered", count(row.candles_covered))
    told.add_row("requests", f"{count(row.requests)} (weight {count(row.weight)})")
    if files := sum(task.files for task in row.tasks):
        told.add_row("files", count(files))
    told.add_row("features of", f"what is stored, in parts: {count(row.feature_pieces)}")
    told.add_row("takes", f"{duration(row.seconds)} by the budget")
    columns = ("symbol", "timeframe", "start", "end", "candles", "covered", "requests", "route")
    table = grid(*columns, whole=("symbol", "start", "end"))
    for task in row.tasks[:_SHOWN]:
        table.add_row(
            escape(task.symbol),
            task.timeframe,
            minute(task.start),
            minute(task.end),
            count(task.candles_expected),
            count(task.candles_covered),
            count(task.requests),
            f"{task.route}: {escape(task.route_reason)}",
        )
    more = row.tasks_total - _SHOWN
    rest = [f"{count(more)} more series: --json shows all."] if more > 0 else []
    return Group(told, table, *rest, *_missing_files(row))


def _missing_files(row: "Plan") -> "list[RenderableType]":
    """The files to get, so that nothing is left out."""
    names = [name for task in row.tasks for name in task.missing_files]
    total = sum(task.missing_files_total for task in row.tasks)
    if not total:
        return []
    shown = [f"  {escape(name)}" for name in names[:_SHOWN]]
    if total > len(shown):
        left = count(total - len(shown))
        shown.append(f"  … {left} more: --json lists up to a hundred of each series")
    told = f"\n{count(total)} files would hold the rest: they are not there, or end too soon"
    return [told, *shown]


def _of(done: int, total: int) -> str:
    return f"{count(done)} of {count(total)}"


def _chunks(row: "Figures") -> str:
    failed = f", {count(row.chunks_failed)} failed" if row.chunks_failed else ""
    return _of(row.chunks_done, row.chunks_total) + failed


def _fault(fault: "Fault") -> str:
    return escape(f"{fault.code}: {fault.message}")
