"""`python -m candlelog_embedded.clickhouse_front --port N --data-dir DIR`."""

import argparse
import socket
from pathlib import Path

import tenacity
import uvicorn

from candlelog_embedded.clickhouse_front.application import application
from candlelog_embedded.clickhouse_front.engine import Engine

_STOP_SECONDS = 5
_TAKE_OVER_SECONDS = 15


def main() -> None:
    """Serve the engine on a loopback port until SIGTERM."""
    parser = argparse.ArgumentParser(prog="clickhouse_front", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=4, help="statements that run at once")
    arguments = parser.parse_args()
    served = application(Engine(arguments.data_dir), threads=arguments.threads)
    settings = uvicorn.Config(
        served, log_level="warning", access_log=False, timeout_graceful_shutdown=_STOP_SECONDS
    )
    uvicorn.Server(settings).run([_listener(arguments.port)])


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(OSError),
    wait=tenacity.wait_fixed(0.1),
    stop=tenacity.stop_after_delay(_TAKE_OVER_SECONDS),
    reraise=True,
)
def _listener(port: int) -> socket.socket:
    """The port; a killed predecessor may hold it for a moment longer."""
    return socket.create_server(("127.0.0.1", port))


if __name__ == "__main__":
    main()
