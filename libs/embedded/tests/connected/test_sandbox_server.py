"""The sandbox over real sockets: headers, broken connections, ccxt, and the process itself."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from random import Random
from typing import Any

import aiohttp
import pytest
from tests import foreign

from candlelog.clock import SystemClock
from candlelog_embedded.sandbox.answers import Answer
from candlelog_embedded.sandbox.binance import Binance
from candlelog_embedded.sandbox.control import Control
from candlelog_embedded.sandbox.dialects import Query
from candlelog_embedded.sandbox.flags import parse
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.server import Server
from candlelog_embedded.sandbox.venue import Venue

pytestmark = pytest.mark.connected

KLINES = "/api/v3/klines?symbol=SYNAUSDT&interval=1m&startTime=1706745600000&limit=1000"


@dataclass(frozen=True)
class Sandbox:
    url: str
    http: aiohttp.ClientSession

    async def turn(self, name: str, **content: object) -> dict[str, Any]:
        async with self.http.post(f"{self.url}/_sandbox/{name}", json=content) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def get(self, path: str) -> Any:
        async with self.http.get(self.url + path) as answer:
            return await answer.json()


@pytest.fixture
async def sandbox() -> AsyncGenerator[Sandbox]:
    venue = Venue(Markets(generated(2)), SystemClock(), Random())
    flags = parse([])
    server = Server(venue, Control(venue, flags.turn))
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as http:
        yield Sandbox(f"http://127.0.0.1:{port}", http)
    await server.stop()


@pytest.fixture
async def binance(sandbox: Sandbox) -> AsyncGenerator[Any]:
    async with foreign.binance(sandbox.url, enableRateLimit=False) as exchange:
        yield exchange


async def test_an_answer_carries_the_headers_of_the_venue(sandbox: Sandbox) -> None:
    async with sandbox.http.get(sandbox.url + KLINES) as answer:
        assert len(await answer.json()) == 1000
        assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "2"
        assert answer.headers["Content-Type"] == "application/json"
        assert len(answer.headers.getall("Date")) == 1


async def test_ccxt_lists_the_markets(binance: Any) -> None:
    markets = await binance.load_markets()
    assert sorted(markets) == ["GEN001/USDT", "GEN002/USDT", "SYNA/USDT", "SYNB/USDT"]
    market = markets["SYNA/USDT"]
    assert (market["id"], market["active"], market["spot"]) == ("SYNAUSDT", True, True)


async def test_ccxt_fetches_candles(binance: Any) -> None:
    rows = await binance.fetch_ohlcv("SYNA/USDT", "1h", since=1_706_745_600_000, limit=1000)
    raw = await binance.publicGetKlines(
        {"symbol": "SYNAUSDT", "interval": "1h", "startTime": 1_706_745_600_000, "limit": 1000}
    )
    assert len(rows) == len(raw) == 1000
    assert rows[0][0] == 1_706_745_600_000
    assert rows == [[int(row[0]), *(float(value) for value in row[1:6])] for row in raw]
    assert {len(row) for row in raw} == {12}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", "DDoSProtection"),
        ("418", "DDoSProtection"),
        ("500", "ExchangeNotAvailable"),
        ("503", "ExchangeNotAvailable"),
        ("reset", "NetworkError"),
        ("cut", "ExchangeError"),
    ],
)
async def test_ccxt_meets_a_fault(sandbox: Sandbox, binance: Any, fault: str, error: str) -> None:
    await binance.load_markets()
    await sandbox.turn("faults", faults=[{"kind": fault}])
    with pytest.raises(foreign.error(error)):
        await binance.fetch_ohlcv("SYNA/USDT", "1m", since=1_706_745_600_000, limit=10)


async def test_ccxt_takes_an_unknown_symbol_for_what_it_is(binance: Any) -> None:
    with pytest.raises(foreign.error("BadSymbol")):
        await binance.publicGetKlines({"symbol": "NOSUCH", "interval": "1m"})


async def test_a_reset_connection_is_reset_and_not_closed(sandbox: Sandbox) -> None:
    await sandbox.turn("faults", faults=[{"kind": "reset"}])
    host, port = sandbox.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {KLINES} HTTP/1.1\r\nHost: sandbox\r\n\r\n".encode())
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_cut_body_ends_before_its_length(sandbox: Sandbox) -> None:
    await sandbox.turn("faults", faults=[{"kind": "cut"}])
    with pytest.raises(aiohttp.ClientPayloadError):
        await sandbox.get(KLINES)
    await sandbox.turn("faults", faults=[])
    assert len(await sandbox.get(KLINES)) == 1000


async def test_latency_and_stalls_take_their_time(sandbox: Sandbox) -> None:
    loop = asyncio.get_running_loop()
    await sandbox.turn("latency", milliseconds=60)
    await sandbox.turn("faults", faults=[{"kind": "stall", "seconds": 0.2}])
    begun = loop.time()
    await sandbox.get(KLINES)
    assert loop.time() - begun >= 0.26


async def test_a_stalled_request_does_not_hold_up_others(sandbox: Sandbox) -> None:
    await sandbox.turn("faults", faults=[{"kind": "stall", "symbol": "SYNBUSDT"}])
    stalled = asyncio.create_task(sandbox.get(KLINES.replace("SYNA", "SYNB")))
    async with asyncio.timeout(240):
        while not (await sandbox.get("/_sandbox/stats"))["requests"]:  # noqa: ASYNC110 -- the sandbox tells only who asks
            await asyncio.sleep(0.01)
    assert len(await sandbox.get(KLINES)) == 1000
    stalled.cancel()


async def test_years_of_days_hold_up_nobody(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, others_served = threading.Event(), threading.Event()
    whole = Binance.answer

    def answer(self: Binance, path: str, query: Query, now: int) -> Answer:
        if path == "/api/v3/klines":
            begun.set()
            assert others_served.wait(120)
        return whole(self, path, query, now)

    monkeypatch.setattr(Binance, "answer", answer)
    days = asyncio.create_task(
        sandbox.get("/api/v3/klines?symbol=SYNAUSDT&interval=1d&limit=1000&startTime=0")
    )
    async with asyncio.timeout(240):
        while not begun.is_set():  # noqa: ASYNC110 -- a thread sets it
            await asyncio.sleep(0.01)
    assert await sandbox.get("/api/v3/ping") == {}
    others_served.set()
    assert len(await days) == 1000


async def test_stats_speak_of_what_arrived(sandbox: Sandbox) -> None:
    await sandbox.turn("limits", capacity=3)
    for _ in range(2):
        await sandbox.get(KLINES)
    stats = await sandbox.get("/_sandbox/stats")
    assert (stats["requests"], stats["violations"]) == ({"/api/v3/klines": 2}, 1)


def test_the_process_serves_until_it_is_told_to_stop() -> None:
    command = [sys.executable, "-m", "candlelog_embedded.sandbox", "--generated", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox exchange on http://127.0.0.1:")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=60) == 0


def test_the_process_says_what_is_wrong_with_its_flags() -> None:
    command = [sys.executable, "-m", "candlelog_embedded.sandbox"]
    hole = "--hole=NOSUCH=2024-02-01T00:00Z/2024-02-02T00:00Z"
    done = subprocess.run([*command, hole], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "sandbox: unknown symbol 'NOSUCH'\n")


def test_the_process_says_that_its_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "candlelog_embedded.sandbox", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("sandbox: ")
    assert "address already in use" in done.stderr
