"""A second server shaped like Binance spot, which shares nothing with the sandbox exchange.

It proves that Candlelog speaks Binance's interface and not merely its own sandbox's. Two symbols,
candles by a formula, the standard library only. Run it with
`python tests/end_to_end/standin.py --port 9800`; port 0 takes a free one, which it prints.
"""

import argparse
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SYMBOLS = {"ABCUSDT": ("ABC", "USDT"), "XYZBTC": ("XYZ", "BTC")}
STEPS = {"1m": 60_000, "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000}
LISTED = 1_577_836_800_000  # 2020-01-01T00:00Z
WEIGHTS = {"klines": 2, "exchangeInfo": 20}


def candle(symbol: str, interval: str, open_time: int) -> list[object]:
    """The row of one candle: whole numbers of a cent, from the position in time alone."""
    step = STEPS[interval]
    place = open_time // step + len(symbol)
    opened, closed = (10_000 + (place + ahead) % 89 * 7 for ahead in (0, 1))
    high, low = max(opened, closed) + place % 5, min(opened, closed) - place % 3
    volume = 1 + place % 13
    prices = [f"{cents / 100:.8f}" for cents in (opened, high, low, closed)]
    quote = f"{volume * (opened + closed) / 200:.8f}"
    closes = open_time + step - 1
    half = f"{volume / 2:.8f}"
    return [
        open_time, *prices, f"{volume:.8f}", closes, quote, 3 * volume, half, quote, "0",
    ]  # fmt: skip


def klines(query: dict[str, str], now: int) -> tuple[int, object]:
    """The status and the page that answer a klines question."""
    symbol, interval = query.get("symbol"), query.get("interval")
    if symbol is None or interval is None:
        return 400, {"code": -1102, "msg": "Mandatory parameter was not sent."}
    if symbol not in SYMBOLS:
        return 400, {"code": -1121, "msg": "Invalid symbol."}
    if interval not in STEPS:
        return 400, {"code": -1120, "msg": "Invalid interval."}
    step, limit = STEPS[interval], min(int(query.get("limit", 500)), 1000)
    last = min(int(query.get("endTime", now)), now) // step * step
    first = last - (limit - 1) * step
    if "startTime" in query:
        first = -(-int(query["startTime"]) // step) * step
    first = max(first, LISTED)
    stop = min(last + step, first + limit * step)
    return 200, [candle(symbol, interval, at) for at in range(first, stop, step)]


def exchange_info(now: int) -> dict[str, object]:
    """The list of symbols, with no more than a client needs."""
    symbols = [
        {
            "symbol": symbol,
            "status": "TRADING",
            "baseAsset": base,
            "quoteAsset": quote,
            "filters": [],
            "permissions": ["SPOT"],
        }
        for symbol, (base, quote) in SYMBOLS.items()
    ]
    return {"timezone": "UTC", "serverTime": now, "rateLimits": [], "symbols": symbols}


class Handler(BaseHTTPRequestHandler):
    """Answers the four calls of `/api/v3` and counts their weight."""

    protocol_version = "HTTP/1.1"
    used: dict[int, int] = {}  # noqa: RUF012 -- shared by all connections on purpose

    def do_GET(self) -> None:
        """Answer one request."""
        now = int(time.time() * 1000)
        parts = urlsplit(self.path)
        call = parts.path.removeprefix("/api/v3/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        minute = now // 60_000
        self.used[minute] = self.used.get(minute, 0) + WEIGHTS.get(call, 1)
        answers: dict[str, tuple[int, object]] = {
            "ping": (200, {}),
            "time": (200, {"serverTime": now}),
        }
        if call == "klines":
            status, content = klines(query, now)
        elif call == "exchangeInfo":
            status, content = 200, exchange_info(now)
        else:
            status, content = answers.get(call, (404, {"code": -1000, "msg": "Not found."}))
        self._send(status, content, self.used[minute])

    def _send(self, status: int, content: object, used: int) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-mbx-used-weight-1m", str(used))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it has
        """Say nothing: a thousand requests would be a thousand lines."""


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    server = ThreadingHTTPServer(("127.0.0.1", parser.parse_args().port), Handler)
    server.daemon_threads = True
    sys.stdout.write(f"stand-in on http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
