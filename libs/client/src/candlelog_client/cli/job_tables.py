"""Jobs and tasks as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from candlelog_client.cli.figures import count, duration, moment, percent, speed

if TYPE_CHECKING:
    from candlelog_client.results import Fault, Figures, Job, Task

_COLOURS = {
    "completed": "green",
    "completed_with_errors": "yellow",
    "failed": "red",
    "cancelled": "red",
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
    table = Table("id", "status", "progress", "candles", "tasks", "label", "created")
    for row in rows:
        table.add_row(
            row.id,
            status_text(row.status),
            percent(row.progress_pct),
            _of(row.candles_stored, row.candles_expected),
            _of(row.tasks_done, row.tasks_total),
            escape(row.label or ""),
            moment(row.created_at),
        )
    return table


def job(row: "Job") -> RenderableType:
    """One job: its figures, then its first tasks."""
    facts = Table.grid(padding=(0, 2))
    facts.add_row("job", row.id)
    if row.label:
        facts.add_row("label", escape(row.label))
    facts.add_row("status", status_text(row.status))
    facts.add_row("progress", percent(row.progress_pct))
    facts.add_row("candles", _of(row.candles_stored, row.candles_expected))
    facts.add_row("chunks", _chunks(row))
    facts.add_row("speed", speed(row.candles_per_second))
    facts.add_row("took", duration(row.duration_seconds))
    if row.error:
        facts.add_row("error", _fault(row.error))
    parts: list[RenderableType] = [facts]
    if row.tasks:
        parts.append(tasks(row.tasks))
    if row.tasks_total > len(row.tasks):
        parts.append(f"{row.tasks_total - len(row.tasks)} more tasks are not shown.")
    return Group(*parts)


def tasks(rows: "Sequence[Task]") -> Table:
    """Tasks, one a line."""
    table = Table("exchange", "symbol", "timeframe", "status", "progress", "candles", "chunks")
    failed = any(row.error for row in rows)
    if failed:
        table.add_column("error")
    for row in rows:
        cells: list[RenderableType] = [
            escape(row.exchange),
            escape(row.symbol),
            row.timeframe,
            status_text(row.status),
            percent(row.progress_pct),
            _of(row.candles_stored, row.candles_expected),
            _chunks(row),
        ]
        if failed:
            cells.append(_fault(row.error) if row.error else "")
        table.add_row(*cells)
    return table


def _of(done: int, total: int) -> str:
    return f"{count(done)} of {count(total)}"


def _chunks(row: "Figures") -> str:
    failed = f", {count(row.chunks_failed)} failed" if row.chunks_failed else ""
    return _of(row.chunks_done, row.chunks_total) + failed


def _fault(fault: "Fault") -> str:
    return escape(f"{fault.code}: {fault.message}")
