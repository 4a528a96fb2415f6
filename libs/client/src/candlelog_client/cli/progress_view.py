"""A job as progress bars: one for the whole, one for each task that is shown."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.progress import TaskID as BarId

from candlelog_client.cli.figures import count, duration, percent, speed

if TYPE_CHECKING:
    from candlelog_client.results import Job, Task

_MOST_TASKS = 12


class ProgressView:
    """Bars on a terminal; running tasks first when there are more than fit."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=32),
            TextColumn("{task.fields[percent]:>7}"),
            TextColumn("{task.fields[figures]}"),
            console=console,
        )
        self._progress.start()
        self._bars: dict[str, BarId] = {}

    def show(self, job: "Job") -> None:
        """Move the bars."""
        shown = _shown(job.tasks)
        for gone in self._bars.keys() - {task.id for task in shown} - {job.id}:
            self._progress.remove_task(self._bars.pop(gone))
        hidden = job.tasks_total - len(shown)
        name = f"[bold]job[/] {job.status}" + (f" (+{hidden} tasks)" if hidden > 0 else "")
        rate = pace(job)
        self._move(job.id, name, job, rate)
        for task in shown:
            self._move(task.id, f"{task.symbol} {task.timeframe}", task, task.status)
        self._progress.refresh()

    def close(self) -> None:
        """Leave the last picture on the screen and give the terminal back."""
        self._progress.stop()

    def _move(self, key: str, name: str, row: "Job | Task", remark: str) -> None:
        figures = f"{candles(row)}{features(row)}{remark}"
        if key not in self._bars:
            self._bars[key] = self._progress.add_task(name, total=100.0, percent="", figures="")
        self._progress.update(
            self._bars[key],
            description=name,
            completed=row.progress_pct,
            percent=percent(row.progress_pct),
            figures=figures,
        )


def candles(row: "Job | Task") -> str:
    """How many candles are stored, where any are asked for, with room behind it; otherwise how many
    parts are done: a replay asks for none.
    """
    if not row.candles_expected:
        done, total = row.chunks_done, row.chunks_total
        return f"{count(done)} of {count(total)} parts  " if total else ""
    return f"{count(row.candles_stored)} of {count(row.candles_expected)}  "


def pace(job: "Job") -> str:
    """How fast candles are stored, where any are asked for, and how long it will take."""
    rate = f"{speed(job.candles_per_second)}  " if job.candles_expected else ""
    return f"{rate}ETA {duration(job.eta_seconds)}"


def features(row: "Job | Task") -> str:
    """How many features are stored, where any are asked for, with room behind it."""
    return f"{count(row.features_stored)} features  " if row.features else ""


def _shown(tasks: "Sequence[Task]") -> "Sequence[Task]":
    if len(tasks) <= _MOST_TASKS:
        return tasks
    order = {"running": 0, "queued": 1, "pending": 1}
    return sorted(tasks, key=lambda task: order.get(task.status, 2))[:_MOST_TASKS]
