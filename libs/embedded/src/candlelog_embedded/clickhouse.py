"""The ClickHouse engine as a process of the embedded system: chDB behind its HTTP front."""

import sys
from pathlib import Path
from types import MappingProxyType

from candlelog_embedded.process import ProcessSpec, http_answers


def clickhouse(directory: Path, *, port: int) -> ProcessSpec:
    """The front with its data in `directory`."""
    module = ("-m", "candlelog_embedded.clickhouse_front")
    return ProcessSpec(
        service="clickhouse",
        command=(sys.executable, *module, "--port", str(port), "--data-dir", str(directory)),
        # Times without a zone mean UTC, on every machine.
        environment=MappingProxyType({"TZ": "UTC"}),
        ready=http_answers(f"http://127.0.0.1:{port}/ping"),
    )


def clickhouse_url(port: int, database: str = "default") -> str:
    """Where clients of ours connect."""
    return f"http://default:@127.0.0.1:{port}/{database}"
