"""`candlelog jobs`: submit, list, show, watch, cancel."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from candlelog.clock import SystemClock
from candlelog_client import times
from candlelog_client.cli import job_options as options
from candlelog_client.cli import job_tables, output
from candlelog_client.cli.exits import of_status
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
    from candlelog_client.client import Candlelog
    from candlelog_client.jobs import JobRequest
    from candlelog_client.results import Job

app = typer.Typer(no_args_is_help=True, help="Submit, follow and cancel jobs.")

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
    wait: options.Wait = False,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Ask for candles. Exit code with --wait: 0 only if the job completed."""
    given = {
        "exchange": exchange,
        "symbols": split(symbols),
        "timeframes": split(timeframes),
        "start": start,
        "end": end,
        "lookback": lookback,
        "source": source,
        "features": features,
        "feature_sets": split(feature_sets) if feature_sets else None,
        "incremental": incremental,
        "priority": priority,
        "max_attempts": max_attempts,
        "label": label,
    }
    request = cast(
        "JobRequest", {name: value for name, value in given.items() if value is not None}
    )
    job = run(data_dir, lambda c: c.jobs.submit(idempotency_key=idempotency_key, **request))
    if wait:
        output.say(f"job {job.id} submitted")
        job = followed(data_dir, job.id)
    _show(job, json=json)
    if wait:
        raise typer.Exit(of_status(job.status))


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


@app.command()
def cancel(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop a job for good."""
    _show(run(data_dir, lambda c: c.jobs.cancel(job_id)), json=json)


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
