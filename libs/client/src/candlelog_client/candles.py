"""Stored candles as Arrow, polars or pandas frames, as pages, or as CSV."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

import pyarrow as pa

from candlelog_client.csv_blocks import tables
from candlelog_client.errors import ClientError
from candlelog_client.frames import COLUMNS, from_rows
from candlelog_client.http import Http
from candlelog_client.times import as_text


@dataclass(frozen=True, slots=True, kw_only=True)
class CandleRange:
    """Candles of one series with open times in the half-open `[start, end)`."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime | str | None = None
    end: datetime | str | None = None

    def parameters(self) -> dict[str, str | int | float | bool | None]:
        """The query of the request."""
        return {**asdict(self), "start": as_text(self.start), "end": as_text(self.end)}


class CandleQuery:
    """A range of candles, not read before one of these is called.

    Prices and `quote_volume` are in quote currency, `volume` in base currency; `open_time` and
    `observed_at` are aware UTC. Every method raises `Refused` when the server rejects the range.
    """

    def __init__(self, http: Http, wanted: CandleRange) -> None:
        self._http = http
        self._wanted = wanted

    async def to_arrow(self) -> pa.Table:
        """The whole range as one table with the columns of `candlelog_client.frames.COLUMNS`."""
        async with self.csv() as blocks:
            parts = [table async for table in tables(blocks)]
        return pa.concat_tables(parts) if parts else COLUMNS.empty_table()

    async def to_polars(self) -> Any:
        """The whole range as a `polars.DataFrame`. Raises `ClientError` where polars is missing."""
        try:
            polars = import_module("polars")
        except ImportError as error:
            raise ClientError("to_polars() needs the package polars: pip install polars") from error
        return polars.from_arrow(await self.to_arrow())

    async def to_pandas(self) -> Any:
        """The whole range as a `pandas.DataFrame`. Raises `ClientError` where pandas is missing."""
        try:
            import_module("pandas")
        except ImportError as error:
            raise ClientError("to_pandas() needs the package pandas: pip install pandas") from error
        return (await self.to_arrow()).to_pandas()

    async def pages(self, *, size: int = 1000, limit: int | None = None) -> AsyncIterator[pa.Table]:
        """The range page by page, each a table of up to `size` rows, at most `limit` rows."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            asked = size if left is None else min(left, size)
            parameters = {**self._wanted.parameters(), "limit": asked, "cursor": cursor}
            answer: dict[str, Any] = await self._http.get("/candles", parameters)
            rows: list[dict[str, Any]] = answer["items"]
            if rows:
                yield from_rows(rows)
            left = None if left is None else left - len(rows)
            cursor = answer.get("next")
            if cursor is None:
                return

    def csv(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The range as CSV bytes while they arrive: `async with query.csv() as blocks`.

        A header line, then one line a candle, floats in their shortest round-trip form.
        """
        parameters = {**self._wanted.parameters(), "format": "csv"}
        return self._http.stream("/candles", parameters, accept="text/csv")
