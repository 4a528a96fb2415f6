"""`candlelog sandbox`: the sandbox exchange alone."""

import os
import signal
import subprocess
import sys

import typer

from candlelog_client.cli import output
from candlelog_client.cli.options import Json

_COMMAND = (sys.executable, "-m", "candlelog_embedded.sandbox")
EVERYTHING_IS_PASSED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


def sandbox(context: typer.Context, json: Json = False) -> None:
    """An exchange as Binance and Kraken are, until Ctrl-C; --help lists its options."""
    command = (*_COMMAND, *context.args)
    if not json:
        os.execv(sys.executable, command)  # noqa: S606 - our own command, without a shell
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - the same
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        signal.signal(signal.SIGINT, lambda *_: process.send_signal(signal.SIGINT))
        line = process.stdout.readline() if process.stdout else ""
        if line:
            output.show_json_line({"url": line.split()[-1]})
        code = process.wait()
    raise typer.Exit(code)
