"""Where the `candlelog` command begins."""

import signal


def main() -> None:
    """Run the command line; Ctrl-C while it still loads ends it without a word."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from candlelog_client.cli.app import main as run  # noqa: PLC0415 - what takes its time

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run()
