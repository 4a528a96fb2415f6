"""A job as it is followed: bars in a terminal, lines elsewhere."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console

from candlelog.clock import ManualClock
from candlelog_client.cli.follow import PlainLines, follow
from candlelog_client.cli.progress_view import ProgressView
from candlelog_client.errors import NotFound
from candlelog_client.results import Job


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def job_with(api, tasks: int = 1, **changes) -> Job:
    (task,) = api.job()["tasks"]
    many = [{**task, "id": str(n), "symbol": f"S{n}/USDT"} for n in range(tasks)]
    return Job.model_validate(api.job(tasks=many, tasks_total=tasks, **changes))


def test_bars_show_the_job_and_each_task(api, screen):
    view = ProgressView(Console(file=screen, force_terminal=True, width=120))
    view.show(job_with(api, tasks=2))
    view.close()
    shown = screen.getvalue()
    assert "50 of 100  25/s  ETA 2s" in shown
    assert "S0/USDT 1m" in shown
    assert "S1/USDT 1m" in shown


def test_bars_say_how_many_features_are_stored_where_they_are_asked_for(api, screen):
    view = ProgressView(Console(file=screen, force_terminal=True, width=120))
    view.show(job_with(api, features=True, features_stored=40))
    view.close()
    assert "50 of 100  40 features  25/s  ETA 2s" in screen.getvalue()
    assert "50 of 100  running" in screen.getvalue()


def test_of_many_tasks_the_running_ones_are_shown(api, screen):
    view = ProgressView(Console(file=screen, force_terminal=True, width=120))
    job = job_with(api, tasks=40)
    done = [task.model_copy(update={"status": "completed"}) for task in job.tasks[:39]]
    view.show(job.model_copy(update={"tasks": (*done, job.tasks[39])}))
    view.close()
    shown = screen.getvalue()
    assert "(+28 tasks)" in shown
    assert "S39/USDT 1m" in shown
    assert "S20/USDT" not in shown


def test_lines_come_once_a_second_and_at_every_change_of_status(api, screen):
    clock = ManualClock(datetime(2024, 1, 1, tzinfo=UTC))
    lines = PlainLines(Console(file=screen, width=200), clock)
    for seconds, status, progress in (
        (5.0, "running", 10.0),
        (0.5, "running", 20.0),
        (0.6, "running", 30.0),
        (0.1, "completed", 100.0),
    ):
        clock.advance(seconds)
        lines.show(job_with(api, status=status, progress_pct=progress))
    shown = [line.split("%")[0].split() for line in screen.getvalue().splitlines()]
    assert shown == [["running", "10.0"], ["running", "30.0"], ["completed", "100.0"]]


async def test_a_job_that_is_not_there_leaves_the_terminal_as_it_was(client, screen):
    with pytest.raises(NotFound):
        await follow(client, "no-such-job", Console(file=screen, force_terminal=True))
    assert screen.getvalue() == ""
