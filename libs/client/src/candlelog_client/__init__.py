"""Python client and command line of Candlelog.

The names below load on first use, so that `candlelog --help` need not import an HTTP stack.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from candlelog_client.client import Candlelog
    from candlelog_client.connection import Connection
    from candlelog_client.errors import (
        ClientError,
        Conflict,
        NotConfigured,
        NotFound,
        Refused,
        ServerProblem,
        Unauthorized,
        Unreachable,
    )
    from candlelog_client.ranges import RangeQuery
    from candlelog_client.results import Job, Task

__all__ = [
    "Candlelog",
    "ClientError",
    "Conflict",
    "Connection",
    "Job",
    "NotConfigured",
    "NotFound",
    "RangeQuery",
    "Refused",
    "ServerProblem",
    "Task",
    "Unauthorized",
    "Unreachable",
]

_HOMES = {
    "Candlelog": "client",
    "Connection": "connection",
    "Job": "results",
    "RangeQuery": "ranges",
    "Task": "results",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"candlelog_client.{_HOMES.get(name, 'errors')}"), name)
