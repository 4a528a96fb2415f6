"""Replays: what is stored is computed anew beside what is served, compared, and switched to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from candlelog_client.http import Http, path_part
from candlelog_client.results import Job, Replay
from candlelog_client.times import as_text


class Replays:
    """The replays of a server."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def features(
        self,
        exchange: str,
        symbols: Sequence[str],
        timeframes: Sequence[str],
        *,
        feature_set: str = "default",
        start: datetime | str | None = None,
        end: datetime | str | None = None,
        label: str | None = None,
    ) -> Job:
        """Compute a feature set anew (`mine/2`, or the newest version of a name), of every candle
        or of those in `[start, end)`; the job that does it.

        Raises `Refused` with the reason when there is nothing to replay.
        """
        given = {"start": as_text(start), "end": as_text(end), "label": label}
        body: dict[str, Any] = {
            "kind": "features",
            "exchange": exchange,
            "symbols": list(symbols),
            "timeframes": list(timeframes),
            "feature_set": feature_set,
            **{name: value for name, value in given.items() if value is not None},
        }
        answer = await self._http.post("/replays", body, idempotency_key=str(uuid4()))
        return Job.model_validate(answer)

    async def get(self, job_id: str) -> Replay:
        """A replay with the differences of all its series, as of now. Raises `NotFound`."""
        path = f"/replays/{path_part(job_id)}"
        found = page = Replay.model_validate(await self._http.get(path))
        while page.next is not None:
            page = Replay.model_validate(await self._http.get(path, {"cursor": page.next}))
            found = page.model_copy(
                update={
                    "series": found.series + page.series,
                    "switched": found.switched and page.switched,
                }
            )
        return found

    async def switch(self, job_id: str) -> Replay:
        """Serve what the replay has computed; readers see it when this returns.

        Raises `NotFound`, or `Conflict` with the reason, and then nothing has changed.
        """
        return await self._told(job_id, "switch")

    async def switch_back(self, job_id: str) -> Replay:
        """Serve again what was served before. Raises as `switch` does."""
        return await self._told(job_id, "switch-back")

    async def close(self, job_id: str) -> Replay:
        """Give up the build that is not served, for good. Raises as `switch` does."""
        return await self._told(job_id, "close")

    async def _told(self, job_id: str, what: str) -> Replay:
        answer = await self._http.post(f"/replays/{path_part(job_id)}/{what}", {})
        return Replay.model_validate(answer)
