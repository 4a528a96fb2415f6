"""`python -m candlelog_embedded.clickhouse_front --port N --data-dir DIR`."""

import argparse
from pathlib import Path

import uvicorn

from candlelog_embedded.clickhouse_front.application import application
from candlelog_embedded.clickhouse_front.engine import Engine

_STOP_SECONDS = 5


def main() -> None:
    """Serve the engine on a loopback port until SIGTERM."""
    parser = argparse.ArgumentParser(prog="clickhouse_front", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=4, help="statements that run at once")
    arguments = parser.parse_args()
    uvicorn.run(
        application(Engine(arguments.data_dir), threads=arguments.threads),
        host="127.0.0.1",
        port=arguments.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )


if __name__ == "__main__":
    main()
