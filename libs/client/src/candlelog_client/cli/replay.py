"""`candlelog replay`: compute anew what is stored, see what differs, and switch to it."""

from typing import TYPE_CHECKING, Annotated

import typer

from candlelog_client.cli import (
    candle_replay_tables,
    job_options,
    job_tables,
    output,
    replay_tables,
)
from candlelog_client.cli.exits import of_status
from candlelog_client.cli.follow import followed
from candlelog_client.cli.options import (
    DEFAULT_DATA_DIR,
    DEFAULT_EXCHANGE,
    DataDir,
    End,
    Exchange,
    Json,
    Start,
    split,
)
from candlelog_client.cli.session import run

if TYPE_CHECKING:
    from candlelog_client.replays import AnyReplay

app = typer.Typer(no_args_is_help=True, help="Compute anew what is stored, and switch to it.")

JobId = Annotated[str, typer.Argument(help="Id of the replay.", show_default=False)]


@app.command()
def features(  # noqa: PLR0913 - one parameter per option
    symbols: Annotated[list[str], typer.Argument(help="BTC/USDT; several, or with commas.")],
    *,
    timeframes: job_options.Timeframes,
    feature_set: Annotated[
        str, typer.Option(help="mine/2; without a version the newest there is.")
    ] = "default",
    exchange: Exchange = DEFAULT_EXCHANGE,
    start: Start = None,
    end: End = None,
    label: job_options.Label = None,
    switch: Annotated[bool, typer.Option("--switch", help="Switch to it when it is done.")] = False,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Compute features anew beside those that are served, and show what differs.

    Exit code 0 only if all were computed and, with --switch, are served.
    """
    job = run(
        data_dir,
        lambda c: c.replays.features(
            exchange,
            split(symbols),
            split(timeframes),
            feature_set=feature_set,
            start=start,
            end=end,
            label=label,
        ),
    )
    output.say(f"replay {job.id} submitted")
    ended = followed(data_dir, job.id)
    if switch and ended.status == "completed":
        run(data_dir, lambda c: c.replays.switch(job.id))
    _show(run(data_dir, lambda c: c.replays.get(job.id)), json=json)
    raise typer.Exit(of_status(ended.status))


@app.command()
def candles(
    *,
    exchange: Annotated[
        str | None, typer.Option(help="Compare those of this exchange; all are rebuilt.")
    ] = None,
    label: job_options.Label = None,
    switch: Annotated[bool, typer.Option("--switch", help="Switch to it when it is done.")] = False,
    json: Json = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Build all candles anew from the log, beside those that are served, and show what differs.

    Exit code 0 only if all were rebuilt and, with --switch, are served.
    """
    job = run(data_dir, lambda c: c.replays.candles(label=label))
    output.say(f"replay {job.id} submitted")
    ended = followed(data_dir, job.id)
    shown = run(data_dir, lambda c: c.replays.get(job.id, exchange=exchange))
    if switch and ended.status == "completed":
        after = run(data_dir, lambda c: c.replays.switch(job.id))
        shown = shown.model_copy(update={"switched": after.switched})
    _show(shown, json=json)
    raise typer.Exit(of_status(ended.status))


@app.command()
def show(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """What a replay differs in from what it is compared with, as of now."""
    _show(run(data_dir, lambda c: c.replays.get(job_id)), json=json)


@app.command()
def switch(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Serve what a replay has written: all of a series at once, or all candles."""
    _told(run(data_dir, lambda c: c.replays.switch(job_id)), json=json)


@app.command("switch-back")
def switch_back(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Serve again what was served before the switch."""
    _told(run(data_dir, lambda c: c.replays.switch_back(job_id)), json=json)


@app.command()
def close(job_id: JobId, json: Json = False, data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Give up what is not served, or a rebuild that runs; there is no way back."""
    _told(run(data_dir, lambda c: c.replays.close(job_id)), json=json)


def _show(replay: "AnyReplay", *, json: bool) -> None:
    if json:
        output.show_json(replay.model_dump(mode="json"))
        return
    if replay.job.status != "completed":
        output.show(job_tables.job(replay.job))
    if replay.kind == "candles":
        output.show(candle_replay_tables.differences(replay))
        output.say(candle_replay_tables.what_next(replay))
    else:
        output.show(replay_tables.differences(replay))
        output.say(replay_tables.what_next(replay))


def _told(replay: "AnyReplay", *, json: bool) -> None:
    if json:
        output.show_json(replay.model_dump(mode="json"))
    elif replay.kind == "candles":
        output.say(candle_replay_tables.what_next(replay))
    else:
        output.show(replay_tables.served(replay))
        output.say(replay_tables.what_next(replay))
