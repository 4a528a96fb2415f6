"""The client: `async with Candlelog() as c`."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal, Self

import httpx

from candlelog_client.connection import Connection, from_environment
from candlelog_client.gaps import Gaps
from candlelog_client.http import Http, Retry
from candlelog_client.jobs import Jobs
from candlelog_client.listing import Listing
from candlelog_client.paging import items
from candlelog_client.ranges import Fill, RangeQuery, SeriesRange
from candlelog_client.replays import Replays
from candlelog_client.results import Health, Limit, Page
from candlelog_client.stored import (
    Completeness,
    CoverageRun,
    File,
    QuarantinedRow,
    Revision,
    Seam,
    StoredSeries,
)
from candlelog_client.streams import Feed, WebSocketFeed
from candlelog_client.times import as_text


class Candlelog:
    """A running Candlelog; an async context manager.

    Without arguments it is the one that `CANDLELOG_API_URL` and `CANDLELOG_API_TOKEN` name;
    raises `NotConfigured` when they do not. Every method raises the errors drawn in
    `candlelog_client.errors`.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        feed: Feed | None = None,
        retry: Retry | None = None,
    ) -> None:
        connection = Connection(url.rstrip("/"), token) if url else from_environment()
        self._http = Http(connection, transport=transport, retry=retry)
        self.jobs = Jobs(self._http, feed or WebSocketFeed(connection))
        self.gaps = Gaps(self._http)
        self.replays = Replays(self._http)

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        """Close every connection."""
        await self._http.__aexit__(*failure)

    def candles(
        self,
        exchange: str,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        as_of: datetime | str | None = None,
        fill: Fill = "none",
    ) -> RangeQuery:
        """Candles of a series with open times in `[start, end)`; nothing is read yet.

        `as_of`: as they were believed then. `fill="flagged"`: a row also for every slot without a
        candle, up to the newest that has closed; `state` says why.
        """
        wanted = SeriesRange(
            exchange=exchange,
            symbol=symbol,
            timeframe=timeframe,
            start=start,
            end=end,
            as_of=as_of,
            fill=None if fill == "none" else fill,
        )
        return RangeQuery(self._http, "candles", wanted)

    def revisions(
        self,
        exchange: str,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        limit: int | None = None,
    ) -> Listing[Revision]:
        """The history of every slot of which something else was believed before."""
        series = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
        wanted = {**series, **_times(start=start, end=end)}
        return Listing(self._http, "/candles/revisions", Revision, wanted, limit=limit)

    def features(
        self,
        exchange: str,
        symbol: str,
        timeframe: str,
        *,
        feature_set: str = "default",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
    ) -> RangeQuery:
        """Features of a feature set, one row for each of these candles; nothing is read yet."""
        wanted = SeriesRange(
            exchange=exchange,
            symbol=symbol,
            timeframe=timeframe,
            start=start,
            end=end,
            feature_set=feature_set,
        )
        return RangeQuery(self._http, "features", wanted)

    def series(
        self,
        *,
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[StoredSeries]:
        """The series that hold candles."""
        wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
        return items(self._http, "/series", StoredSeries, wanted, limit=limit)

    def coverage(
        self,
        exchange: str,
        symbol: str,
        timeframe: str,
        *,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        limit: int | None = None,
    ) -> Listing[CoverageRun]:
        """The state of every slot of a series, as runs in time order.

        Without `start` from the first slot that was ever asked for.
        """
        series = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
        wanted = {**series, **_times(start=start, end=end)}
        return Listing(self._http, "/coverage", CoverageRun, wanted, limit=limit)

    def completeness(
        self,
        *,
        by: Literal["series", "symbol", "exchange", "day"] = "series",
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Completeness]:
        """How much of what was ever asked for is known, in a line for each series, symbol,
        exchange or day. Without `start` from the first slot that was answered.
        """
        wanted = {
            "by": by,
            "exchange": exchange,
            "symbol": symbol,
            "timeframe": timeframe,
            "start": as_text(start),
            "end": as_text(end),
        }
        return items(self._http, "/reports/completeness", Completeness, wanted, limit=limit)

    def seams(
        self,
        *,
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Seam]:
        """Where candles of files and of the venue were compared, and what differs."""
        wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
        return items(self._http, "/reports/seams", Seam, wanted, limit=limit)

    async def limits(self) -> tuple[Limit, ...]:
        """Every budget: how much there is, how much is used."""
        return Page[Limit].model_validate(await self._http.get("/limits")).items

    def quarantine(
        self,
        *,
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[QuarantinedRow]:
        """Rows that broke a rule, with their raw text and the reason."""
        wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe}
        return items(self._http, "/quarantine", QuarantinedRow, wanted, limit=limit)

    def files(
        self,
        *,
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        status: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[File]:
        """Files of archives that jobs have read or refused, by archive and path."""
        wanted = {
            "exchange": exchange, "symbol": symbol, "timeframe": timeframe, "status": status,
        }  # fmt: skip
        return items(self._http, "/files", File, wanted, limit=limit)

    async def health(self) -> Health:
        """How the components are."""
        return Health.model_validate(await self._http.get("/health"))


def _times(**times: datetime | str | None) -> dict[str, str | None]:
    return {name: as_text(time) for name, time in times.items()}
