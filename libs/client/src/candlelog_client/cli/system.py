"""`candlelog up`, `down`, `ps`, `doctor`, `sandbox`: the system on this machine.

The embedded package is imported inside the commands: `candlelog --help` stays quick.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.markup import escape
from rich.text import Text

from candlelog.clock import SystemClock
from candlelog.errors import Misconfigured
from candlelog_client.cli import output
from candlelog_client.cli.exits import Exit
from candlelog_client.cli.grid import grid
from candlelog_client.cli.options import DEFAULT_DATA_DIR, DataDir, Json
from candlelog_client.cli.sandbox import EVERYTHING_IS_PASSED_ON, sandbox
from candlelog_client.cli.session import explained

if TYPE_CHECKING:
    from candlelog_embedded.doctor import Check
    from candlelog_embedded.supervisor.state import ProcessReport
    from candlelog_embedded.system import Ready


_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


def add_to(app: typer.Typer) -> None:
    """Add the commands to the root."""
    for command in (up, down, ps, doctor):
        app.command()(command)
    app.command(context_settings=EVERYTHING_IS_PASSED_ON)(sandbox)


def up(  # noqa: PLR0913 - one parameter per option
    *,
    data_dir: DataDir = DEFAULT_DATA_DIR,
    api_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the API; a free one else.")
    ] = None,
    sandbox: Annotated[bool, typer.Option(help="Use the sandbox exchange.")] = False,
    exchange_url: Annotated[
        list[str] | None, typer.Option(metavar="NAME=URL", help="Where an exchange is.")
    ] = None,
    archive: Annotated[
        list[str] | None, typer.Option(metavar="NAME=DIR_OR_URL", help="Where an archive is.")
    ] = None,
    replicas: Annotated[
        list[str] | None, typer.Option(metavar="SERVICE=N", help="How many of a service.")
    ] = None,
    feature_sets: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", envvar="CANDLELOG_FEATURE_SETS", help="Folder of feature sets (*.yaml)."
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready.")] = False,
    json: Json = False,
) -> None:
    """Start everything, and keep it running until Ctrl-C."""
    with explained():
        from candlelog_embedded import detached, system, topology  # noqa: PLC0415 - see above

        try:
            options = topology.Options(
                data_dir=data_dir,
                api_port=api_port,
                sandbox=sandbox,
                exchange_urls=_pairs("--exchange-url", exchange_url),
                archives=_pairs("--archive", archive),
                replicas=_numbers("--replicas", replicas),
                feature_sets=_judged(feature_sets),
            )
        except Misconfigured as error:
            output.fail(str(error), Exit.USAGE)
        if detach:
            file = detached.up_detached(options)
            _started({"environment_file": str(file)}, f"Candlelog is ready: {file}", json=json)
            return

        def ready(told: "Ready") -> None:
            _started(_facts(told), told.line, json=json)

        system.up(options, ready=ready, note=output.say)


def down(data_dir: DataDir = DEFAULT_DATA_DIR, json: Json = False) -> None:
    """Stop the system of a data directory."""
    with explained():
        from candlelog_embedded import system  # noqa: PLC0415 - see above

        stopped = system.down(data_dir)
    if json:
        output.show_json({"stopped": stopped})
    else:
        output.show(system.STOPPED if stopped else f"Nothing runs on {data_dir}.")


def ps(data_dir: DataDir = DEFAULT_DATA_DIR, json: Json = False) -> None:
    """The processes of a running system."""
    with explained():
        from candlelog_embedded import system  # noqa: PLC0415 - see above

        found = system.ps(data_dir)
    if json:
        output.show_json([asdict(one) for one in found])
    else:
        output.show(_processes(found) if found else f"Nothing runs on {data_dir}.")


def doctor(data_dir: DataDir = DEFAULT_DATA_DIR, json: Json = False) -> None:
    """What would keep `up` from working: disk, ports, Java, clock, versions."""
    with explained():
        from candlelog_embedded import doctor as examination  # noqa: PLC0415 - see above

        found = examination.doctor(data_dir, SystemClock())
    if json:
        output.show_json([asdict(check) for check in found])
    else:
        output.show(_findings(found))
    if any(check.verdict == "fail" for check in found):
        raise typer.Exit(Exit.FAILURE)


def _processes(found: "tuple[ProcessReport, ...]") -> RenderableType:
    table = grid("service", "replica", "pid", "state", "restarts")
    for one in found:
        pid = "–" if one.pid is None else str(one.pid)
        table.add_row(one.service, str(one.replica), pid, one.state, str(one.restarts))
    return table


def _findings(found: "tuple[Check, ...]") -> RenderableType:
    table = grid("check", "verdict", "found", whole=("check", "verdict"))
    for check in found:
        told = f"{check.found}; {check.advice}" if check.advice else check.found
        table.add_row(check.name, Text(check.verdict, style=_COLOURS[check.verdict]), escape(told))
    return table


def _facts(told: "Ready") -> dict[str, object]:
    return {
        "api_url": told.environment["CANDLELOG_API_URL"],
        "data_dir": str(told.data_dir),
        "sandbox": told.sandbox,
    }


def _started(facts: dict[str, object], line: str, *, json: bool) -> None:
    if json:
        output.show_json_line(facts)
    else:
        output.show_line(line)


def _pairs(option: str, values: list[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for value in values or ():
        name, separator, target = value.partition("=")
        if not (name and separator and target):
            output.fail(f"{option} wants NAME=VALUE, not {value!r}", Exit.USAGE)
        pairs[name] = target
    return pairs


def _numbers(option: str, values: list[str] | None) -> dict[str, int]:
    pairs = _pairs(option, values)
    if wrong := [number for number in pairs.values() if not number.isdecimal()]:
        output.fail(f"{option} wants a number, not {wrong[0]!r}", Exit.USAGE)
    return {name: int(number) for name, number in pairs.items()}


def _judged(feature_sets: str | None) -> str | None:
    """The folder itself, once its sets are known to be right; else raises Misconfigured."""
    from candlelog_embedded.feature_sets import check_feature_sets  # noqa: PLC0415 - see above

    check_feature_sets(feature_sets)
    return feature_sets
