"""Following a job: a live picture in a terminal, plain lines anywhere else."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from candlelog.clock import Clock, SystemClock
from candlelog_client.cli.figures import percent
from candlelog_client.cli.output import stderr
from candlelog_client.cli.progress_view import ProgressView, candles, features, pace
from candlelog_client.cli.session import run

if TYPE_CHECKING:
    from candlelog_client.client import Candlelog
    from candlelog_client.results import Job

_LINE_EVERY_SECONDS = 1.0


class View(Protocol):
    """Something that shows a job as it changes."""

    def show(self, job: "Job") -> None:
        """Show the newest state."""
        ...

    def close(self) -> None:
        """Give the terminal back."""
        ...


class PlainLines:
    """One line a second at most, and one for each change of status."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._status = ""
        self._printed_at = 0.0

    def show(self, job: "Job") -> None:
        """Print the line, unless one was printed a moment ago."""
        now = self._clock.monotonic()
        if job.status == self._status and now - self._printed_at < _LINE_EVERY_SECONDS:
            return
        self._status, self._printed_at = job.status, now
        self._console.print(line(job), markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing to give back."""


def followed(data_dir: Path, job_id: str) -> "Job":
    """The end of a job, shown on stderr until it has come; Ctrl-C stops the watching alone."""
    return run(
        data_dir,
        lambda c: follow(c, job_id, stderr()),
        interrupted=f"stopped watching; the job goes on: candlelog jobs watch {job_id}",
    )


async def follow(client: "Candlelog", job_id: str, console: Console) -> "Job":
    """Show a job on `console` until it has ended; returns its last state."""
    job = await client.jobs.get(job_id)
    view: View = (
        ProgressView(console) if console.is_terminal else PlainLines(console, SystemClock())
    )
    try:
        async for job in client.jobs.watch(job_id):
            view.show(job)
    finally:
        view.close()
    return job


def line(job: "Job") -> str:
    """A job's state on one line."""
    stored = f"{candles(job).rstrip()} candles  " if job.candles_expected else candles(job)
    return f"{job.status}  {percent(job.progress_pct)}  {stored}{features(job)}{pace(job)}"
