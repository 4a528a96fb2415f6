"""The stand-in for Binance is one that ccxt takes for Binance."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests import foreign

pytestmark = pytest.mark.connected

START = 1_706_745_600_000


@pytest.fixture
def standin_url() -> Generator[str]:
    command = [sys.executable, str(Path(__file__).with_name("standin.py")), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture
async def binance(standin_url: str) -> AsyncGenerator[Any]:
    async with foreign.binance(standin_url) as exchange:
        yield exchange


async def test_it_lists_its_symbols(binance: Any) -> None:
    assert sorted(await binance.load_markets()) == ["ABC/USDT", "XYZ/BTC"]


async def test_its_pages_follow_one_another(binance: Any) -> None:
    first = await binance.fetch_ohlcv("ABC/USDT", "1m", since=START, limit=1000)
    second = await binance.fetch_ohlcv("ABC/USDT", "1m", since=START + 60_000_000, limit=5)
    rows = first + second
    assert [row[0] for row in rows] == [START + 60_000 * number for number in range(1005)]
    assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in rows)
    assert all(after[1] == row[4] for row, after in pairwise(rows))


async def test_it_ends_with_the_open_candle(binance: Any) -> None:
    rows = await binance.fetch_ohlcv("ABC/USDT", "1h", limit=3)
    now = await binance.fetch_time()
    assert rows[-1][0] <= now < rows[-1][0] + 2 * 3_600_000
    assert len(rows) == 3


async def test_it_counts_weight_and_knows_no_other_symbol(binance: Any) -> None:
    with pytest.raises(foreign.error("BadSymbol")):
        await binance.publicGetKlines({"symbol": "BTCUSDT", "interval": "1m"})
    assert binance.last_response_headers["x-mbx-used-weight-1m"] == "2"
