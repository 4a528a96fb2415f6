"""What people run today: an asyncio loop over ccxt, pages inserted with clickhouse-connect.

It validates nothing, remembers nothing and starts over when it fails. It reads the same sandbox and
writes to the same engine as Candlelog, a few symbols at once, each page in one insert.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import ccxt.async_support as ccxt
import clickhouse_connect
from clickhouse_connect.driver.client import Client

_MINUTE_MS = 60_000
_AT_ONCE = 8
_TABLE = """
CREATE OR REPLACE TABLE plain_candles (
    symbol String, open_time DateTime64(3, 'UTC'),
    open Float64, high Float64, low Float64, close Float64, volume Float64
) ENGINE = ReplacingMergeTree ORDER BY (symbol, open_time)
"""
_COLUMNS = ["symbol", "open_time", "open", "high", "low", "close", "volume"]
_TYPES = ["String", "DateTime64(3, 'UTC')", *["Float64"] * 5]


async def fetch_and_store(
    exchange_url: str,
    clickhouse_url: str,
    symbols: Sequence[str],
    *,
    start: datetime,
    end: datetime,
) -> int:
    """Fetch 1m candles of the symbols over `[start, end)` and store them; rows readable after."""
    address = urlsplit(clickhouse_url)
    client = clickhouse_connect.get_client(
        host=address.hostname or "", port=address.port or 0, autogenerate_session_id=False
    )
    client.command(_TABLE)
    exchange = ccxt.binance(
        {"enableRateLimit": False, "options": {"fetchMarkets": {"types": ["spot"]}}}
    )
    exchange.urls["api"]["public"] = f"{exchange_url}/api/v3"
    turns = asyncio.Semaphore(_AT_ONCE)
    try:
        await exchange.load_markets()
        bounds = int(start.timestamp() * 1000), int(end.timestamp() * 1000)
        await asyncio.gather(
            *(_symbol(exchange, client, symbol, bounds, turns) for symbol in symbols)
        )
        return int(client.query("SELECT count() FROM plain_candles FINAL").result_rows[0][0])
    finally:
        await exchange.close()
        client.command("DROP TABLE plain_candles")
        client.close()


async def _symbol(
    exchange: ccxt.binance,
    client: Client,
    symbol: str,
    bounds: tuple[int, int],
    turns: asyncio.Semaphore,
) -> None:
    since, end = bounds
    async with turns:
        while since < end:
            page = await exchange.fetch_ohlcv(symbol, "1m", since, 1000, {"until": end - 1})
            if not page:
                break
            rows = [(symbol, datetime.fromtimestamp(row[0] / 1000, UTC), *row[1:]) for row in page]
            await asyncio.to_thread(
                client.insert,
                "plain_candles",
                rows,
                column_names=_COLUMNS,
                column_type_names=_TYPES,
            )
            since = page[-1][0] + _MINUTE_MS
