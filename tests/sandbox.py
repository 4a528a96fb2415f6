"""The switches of the sandbox that a system under test fetches from."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from candlelog.market.timeframe import from_milliseconds, milliseconds
from candlelog.settings import parse_pairs
from candlelog_client.connection import read_environment_file


class Sandbox:
    """An exchange that does what a test says."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def turn(self, switch: str, **values: Any) -> None:
        """Set one of the switches of `docs/reference/sandbox.md`."""
        (await self._http.post(f"/_sandbox/{switch}", json=values)).raise_for_status()

    @asynccontextmanager
    async def listed(self, symbol: str, **when: Any) -> AsyncGenerator[None]:
        """Have the symbol listed then and at no other time, for as long as the block lasts."""
        await self.turn("listing", symbol=symbol, **when)
        try:
            yield
        finally:
            await self.turn("listing", symbol=symbol)

    async def strike(self, rules: Iterable[dict[str, Any]]) -> None:
        """Have these faults, and no others."""
        await self.turn("faults", faults=list(rules))

    async def struck(self, kind: str) -> int:
        """How often faults of that kind struck so far."""
        answer = await self._http.get("/_sandbox/stats")
        return answer.json()["faults"].get(kind, 0)

    async def asked(self) -> list[dict[str, Any]]:
        """Every request for candles so far."""
        answer = await self._http.get("/_sandbox/stats", params={"arrivals": "50000"})
        return [each for each in answer.json()["arrivals"] if each["path"].endswith("klines")]

    async def klines(
        self, symbol: str, interval: str, start: datetime, end: datetime
    ) -> list[list[Any]]:
        """What it answers now for candles of spot, as its pages have them."""
        found: list[list[Any]] = []
        first, last = milliseconds(start), milliseconds(end) - 1
        while first <= last:
            query = {
                "symbol": symbol, "interval": interval, "startTime": first, "endTime": last,
                "limit": 1000,
            }  # fmt: skip
            rows = (await self._http.get("/api/v3/klines", params=query)).json()
            found += rows
            first = rows[-1][6] + 1 if rows else last + 1
        return found

    async def now(self) -> datetime:
        """The time by its clock."""
        answer = await self._http.get("/_sandbox/state")
        return from_milliseconds(answer.json()["now"])

    async def weight(self, minute: datetime) -> float:
        """What arrived at spot in the minute that begins then."""
        answer = await self._http.get("/_sandbox/stats")
        counted = {each["start"]: each["weight"] for each in answer.json()["windows"]}
        return counted.get(milliseconds(minute), 0)


@asynccontextmanager
async def sandbox_of(data_dir: Path) -> AsyncGenerator[Sandbox]:
    """The sandbox that `candlelog up --sandbox` runs on `data_dir`."""
    environment = read_environment_file(data_dir / "candlelog.env")
    url = parse_pairs(environment["CANDLELOG_EXCHANGE_URLS"])["binance"]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        yield Sandbox(http)
