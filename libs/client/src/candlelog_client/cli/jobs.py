"""`candlelog jobs`: submit, plan, list, show, watch; and cancel, pause, resume, retry, delete."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from candlelog.clock import SystemClock
from candlelog_client import times
from candlelog_client.cli import job_options as options
from candlelog_client.cli import job_tables, output
from candlelog_client.cli.exits import Exit, of_status
from candlelog_client.cli.follow import followed
from candlelog_client.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_EXCHANGE,
    DataDir,
    End,
    Exchange,
    Json,
    Limit,
    Start,
    split,
)
from candlelog_client.cli.session import collect, run

if TYPE_CHECKING:
    from pathlib import Path

    from candlelog_client.client import Candlelog
    from candlelog_client.jobs import Action, JobRequest, PartialAction
    from candlelog_client.results import Job

app = typer.Typer(no_args_is_help=True, help="Submit, follow and steer jobs.")

JobId = Annotated[str, typer.Argument(help="Id of the job.", show_default=False)]


@app.command()
def submit(  # noqa: PLR0913 - one parameter per field of the REST body
    *,
    symbols: options.Symbols,
    timeframes: options.Timeframes,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    lookback: options.Lookback = None,
    source: options.Source = None,
    features: options.Features = None,
    feature_sets: options.FeatureSets = None,
    incremental: options.Incremental = None,
    priority: options.Priority = None,
    max_attempts: options.MaxAttempts = None,
    label: options.Label = None,
    idempotency_key: options.IdempotencyKey = None,
    dry_run: options.DryRun = False,
    wait: options.Wait = False,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Ask for candles. Exit code with --wait: 0 only if the job completed."""
    if dry_run and (wait or idempotency_key):
        output.fail("--dry-run makes no job: there is nothing to wait for or to name", Exit.USAGE)
    request = _request(
        exchange=exchange,
        symbols=symbols,
        timeframes=timeframes,
        start=start,
        end=end,
        lookback=_one(lookback),
        source=source,
        features=features,
        feature_sets=feature_sets or None,
        incremental=incremental,
        priority=priority,
        max_attempts=max_attempts,
        label=label,
    )
    if dry_run:
        _show_plan(request, json=json, data_dir=data_dir)
        return
    job = run(data_dir, lambda c: c.jobs.submit(idempotency_key=idempotency_key, **request))
    if wait:
        output.say(f"job {job.id} submitted")
        job = followed(data_dir, job.id)
    _show(job, json=json)
    if wait:
        raise typer.Exit(of_status(job.status))


@app.command()
def plan(  # noqa: PLR0913 - one parameter per field of the REST body that a plan depends on
    *,
    symbols: options.Symbols,
    timeframes: options.Timeframes,
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    lookback: options.Lookback = None,
    source: options.Source = None,
    features: options.Features = None,
    feature_sets: options.FeatureSets = None,
    incremental: options.Incremental = None,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Say what a job would do: requests, their cost, and how long the budget makes that take."""
    request = _request(
        exchange=exchange,
        symbols=symbols,
        timeframes=timeframes,
        start=start,
        end=end,
        lookback=_one(lookback),
        source=source,
        features=features,
        feature_sets=feature_sets or None,
        incremental=incremental,
    )
    _show_plan(request, json=json, data_dir=data_dir)


def _one(lookback: list[str] | None) -> str | None:
    """The one that was given, be it as --lookback or as --since."""
    if lookback and len(lookback) > 1:
        output.fail("--lookback and --since are one option: give it once", Exit.USAGE)
    return lookback[0] if lookback else None


def _request(**given: list[str] | str | bool | int | None) -> "JobRequest":
    """What was given; of lists each may hold several names, with commas."""
    body = {
        name: split(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }
    return cast("JobRequest", body)


def _show_plan(request: "JobRequest", *, json: bool, data_dir: "Path") -> None:
    found = run(data_dir, lambda c: c.jobs.plan(**request))
    if json:
        output.show_json(found.model_dump(mode="json"))
    else:
        output.show(job_tables.plan(found))


@app.command("list")
def list_jobs(
    *,
    status: Annotated[str | None, typer.Option(help="Only jobs with this status.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Only jobs with this symbol.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only jobs created since a time, or in the last 1d, 12h.")
    ] = None,
    limit: Limit = 50,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Jobs, newest first."""
    begin = since and times.since(since, SystemClock().now())
    jobs = run(
        data_dir,
        lambda c: collect(c.jobs.list(status=status, symbol=symbol, since=begin, limit=limit)),
    )
    if json:
        output.show_json(output.plain(jobs))
    else:
        output.show(job_tables.jobs(jobs))


@app.command()
def show(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """One job with its tasks."""
    _show(run(data_dir, lambda c: c.jobs.get(job_id)), json=json)


@app.command()
def watch(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Follow a job to its end; with --json one line of JSON per change.

    The exit code tells how the job ended: 0 completed, 3 with errors, 4 failed, 5 cancelled.
    """
    if json:
        job = run(data_dir, lambda c: _lines(c, job_id))
    else:
        job = followed(data_dir, job_id)
        _show(job, json=False)
    raise typer.Exit(of_status(job.status))


def _command(action: "PartialAction", says: str) -> None:
    @app.command(action, help=says)
    def steer(  # pyright: ignore[reportUnusedFunction] -- typer has it
        job_ids: options.JobIds,
        *,
        symbols: options.OfSymbols = None,
        tasks: options.OfTasks = None,
        json: Json = False,
        data_dir: DataDir = DEFAULT_DATA_DIR,
    ) -> None:
        _steer(action, job_ids, symbols, tasks, json=json, data_dir=data_dir)


_command("cancel", "Stop what is not over. `retry` goes on with it.")
_command("pause", "Start no request until it is resumed.")
_command("resume", "Go on with what was paused.")
_command("retry", "Ask again for what failed, and go on with what was cancelled.")


@app.command()
def delete(
    job_ids: options.JobIds, *, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR
) -> None:
    """Forget jobs that are over. What they stored stays."""
    if len(job_ids) == 1:
        _show(run(data_dir, lambda c: c.jobs.delete(job_ids[0])), json=json)
    else:
        _act("delete", job_ids, json=json, data_dir=data_dir)


def _steer(
    action: "PartialAction",
    job_ids: list[str],
    symbols: list[str] | None,
    tasks: list[str] | None,
    *,
    json: bool,
    data_dir: "Path",
) -> None:
    if len(job_ids) == 1:
        named, numbered = split(symbols or []), split(tasks or [])
        job = run(
            data_dir,
            lambda c: c.jobs.steer(action, job_ids[0], symbols=named, tasks=numbered),
        )
        _show(job, json=json)
        return
    if symbols or tasks:
        output.fail("tasks and symbols are those of one job: give one id", Exit.USAGE)
    _act(action, job_ids, json=json, data_dir=data_dir)


def _act(action: "Action", job_ids: list[str], *, json: bool, data_dir: "Path") -> None:
    results = run(data_dir, lambda c: c.jobs.act(action, job_ids))
    if json:
        output.show_json(output.plain(results))
    else:
        output.show(job_tables.actions(results))
    if not all(result.accepted for result in results):
        raise typer.Exit(Exit.FAILURE)


async def _lines(client: "Candlelog", job_id: str) -> "Job":
    job = await client.jobs.get(job_id)
    async for job in client.jobs.watch(job_id):
        output.show_json_line(job.model_dump(mode="json"))
    return job


def _show(job: "Job", *, json: bool) -> None:
    if json:
        output.show_json(job.model_dump(mode="json"))
    else:
        output.show(job_tables.job(job))
