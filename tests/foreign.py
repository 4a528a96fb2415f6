"""A client that is not ours: ccxt as it comes, towards a server of a test.

Its modules are imported one by one and when they are needed: the package as a whole takes seconds,
and a process that has opened a venue holds it without its venues.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any


@asynccontextmanager
async def binance(url: str, **options: object) -> AsyncGenerator[Any]:
    """ccxt's Binance, which takes the server at `url` for it."""
    exchange = import_module("ccxt.async_support.binance").binance(
        {"options": {"fetchMarkets": {"types": ["spot"]}}, **options}
    )
    exchange.urls["api"]["public"] = f"{url}/api/v3"
    try:
        yield exchange
    finally:
        await exchange.close()


def error(name: str) -> type[Exception]:
    """One of ccxt's errors."""
    return getattr(import_module("ccxt.base.errors"), name)
