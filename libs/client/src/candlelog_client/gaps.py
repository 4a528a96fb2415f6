"""Gaps: slots that nothing explains, and having them asked for."""

from collections.abc import Sequence

from candlelog_client.http import Http, path_part
from candlelog_client.listing import Listing
from candlelog_client.results import Job
from candlelog_client.stored import Gap


class Gaps:
    """The gaps of a server. Calling it lists them: `async for gap in c.gaps(symbol="BTC/USDT")`."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def __call__(
        self,
        *,
        exchange: str | None = None,
        symbol: str | None = None,
        timeframe: str | None = None,
        state: str | None = None,
        limit: int | None = None,
    ) -> Listing[Gap]:
        """Gaps by series and start, at most `limit` of them; without a state those that are open.

        `state` is one of a gap, or "any".
        """
        wanted = {"exchange": exchange, "symbol": symbol, "timeframe": timeframe, "state": state}
        return Listing(self._http, "/gaps", Gap, wanted, limit=limit)

    async def fill(self, gap_id: str) -> Job:
        """Have one gap asked for; the job that does it.

        Raises `NotFound`, and `Conflict` when it is being filled or is over.
        """
        return Job.model_validate(await self._http.post(f"/gaps/{path_part(gap_id)}/fill", {}))

    async def fill_all(
        self,
        *,
        exchange: str | None = None,
        symbols: Sequence[str] | None = None,
        timeframes: Sequence[str] | None = None,
    ) -> tuple[Job, ...]:
        """Have every open gap asked for that matches and no job is filling; the jobs that do it.

        Raises `Conflict` when there is none.
        """
        given = {"exchange": exchange, "symbols": symbols, "timeframes": timeframes}
        body = {name: value for name, value in given.items() if value is not None}
        answer = await self._http.post("/gaps/fill", body)
        return tuple(Job.model_validate(job) for job in answer["jobs"])
