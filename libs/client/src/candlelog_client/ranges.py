"""A stored range of candles or features as Arrow, polars or pandas frames, as pages, or as CSV."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from candlelog_client.arrow_blocks import Batches, opened
from candlelog_client.frames import Noun, from_rows, library
from candlelog_client.http import Http
from candlelog_client.times import as_text

Fill = Literal["none", "flagged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRange:
    """Open times of one series in the half-open `[start, end)`; of features also the set, of
    candles as of when, and whether slots without one have a row (`flagged`) or not (`none`)."""

    exchange: str
    symbol: str
    timeframe: str
    start: datetime | str | None = None
    end: datetime | str | None = None
    feature_set: str | None = None
    as_of: datetime | str | None = None
    fill: Fill | None = None

    def parameters(self) -> dict[str, str | int | float | bool | None]:
        """The query of the request."""
        times = {name: as_text(getattr(self, name)) for name in ("start", "end", "as_of")}
        return {**asdict(self), **times}


class RangeQuery:
    """A range of candles or of features, not read before one of these is called.

    Prices and `quote_volume` are in quote currency, `volume` in base currency; `open_time` and
    `observed_at` are aware UTC. Every method raises `Refused` when the server rejects the range.
    """

    def __init__(self, http: Http, noun: Noun, wanted: SeriesRange) -> None:
        self._http = http
        self.noun: Noun = noun
        self.wanted = wanted

    async def to_arrow(self) -> pa.Table:
        """The whole range as one table, with the columns and types the server has them in."""
        async with self.batches() as batches:
            return pa.Table.from_batches([each async for each in batches], batches.schema)

    async def to_polars(self) -> Any:
        """The whole range as a `polars.DataFrame`. Raises `ClientError` where polars is missing."""
        return library("polars").from_arrow(await self.to_arrow())

    async def to_pandas(self) -> Any:
        """The whole range as a `pandas.DataFrame`. Raises `ClientError` where pandas is missing."""
        library("pandas")
        return (await self.to_arrow()).to_pandas()

    async def pages(self, *, size: int = 1000, limit: int | None = None) -> AsyncIterator[pa.Table]:
        """The range page by page, each a table of up to `size` rows, at most `limit` rows."""
        cursor: str | None = None
        left = limit
        while left is None or left > 0:
            asked = size if left is None else min(left, size)
            parameters = {**self.wanted.parameters(), "limit": asked, "cursor": cursor}
            answer: dict[str, Any] = await self._http.get(f"/{self.noun}", parameters)
            rows: list[dict[str, Any]] = answer["items"]
            if rows:
                yield from_rows(self.noun, rows)
            left = None if left is None else left - len(rows)
            cursor = answer.get("next")
            if cursor is None:
                return

    @asynccontextmanager
    async def batches(self) -> AsyncGenerator[Batches]:
        """The range as record batches while they arrive, for more than memory holds:
        `async with query.batches() as batches`, then `async for batch in batches`.
        """
        accept = "application/vnd.apache.arrow.stream"
        async with self._stream("arrow", accept) as blocks, opened(blocks) as batches:
            yield batches

    def csv(self) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The range as CSV bytes while they arrive: `async with query.csv() as blocks`.

        A header line, then one line a row, floats in their shortest round-trip form.
        """
        return self._stream("csv", "text/csv")

    def _stream(
        self, encoding: str, accept: str
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        parameters = {**self.wanted.parameters(), "format": encoding}
        return self._http.stream(f"/{self.noun}", parameters, accept=accept)
