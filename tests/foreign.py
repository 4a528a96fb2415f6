"""A client that is not ours: ccxt as it comes, towards a server of a test.

Named by its modules: where `fetcher.adapters.exchange` has opened a venue, the package is without
its venues.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def binance(url: str, **settings: object) -> AsyncGenerator[Any]:
    """ccxt's Binance, which takes the server at `url` for it."""
    from ccxt.async_support.binance import binance as venue  # the package takes seconds

    exchange = venue({"options": {"fetchMarkets": {"types": ["spot"]}}, **settings})
    exchange.urls["api"]["public"] = f"{url}/api/v3"
    try:
        yield exchange
    finally:
        await exchange.close()


def error(name: str) -> type[Exception]:
    """One of ccxt's errors."""
    from ccxt.base import errors

    return getattr(errors, name)
