"""Replays: what is stored is computed anew beside what is served, compared, and switched to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from candlelog_client.candle_replays import CandleReplay
from candlelog_client.http import Http, path_part
from candlelog_client.results import Job, Replay
from candlelog_client.times import as_text

AnyReplay = Replay | CandleReplay


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

    async def candles(self, *, label: str | None = None) -> Job:
        """Build all candles anew from the log, in a shadow of what is served; the job that does it.

        Raises `Conflict` while an earlier replay of candles is not closed.
        """
        body = {"kind": "candles"} if label is None else {"kind": "candles", "label": label}
        answer = await self._http.post("/replays", body, idempotency_key=str(uuid4()))
        return Job.model_validate(answer)

    async def get(self, job_id: str, *, exchange: str | None = None) -> AnyReplay:
        """A replay with what it differs in, as of now; of candles, of one exchange where given.

        Raises `NotFound`.
        """
        path = f"/replays/{path_part(job_id)}"
        first = _replay(await self._http.get(path, {"exchange": exchange} if exchange else None))
        if isinstance(first, CandleReplay):
            return first
        found = page = first
        while page.next is not None:
            page = Replay.model_validate(await self._http.get(path, {"cursor": page.next}))
            found = page.model_copy(
                update={
                    "series": found.series + page.series,
                    "switched": found.switched and page.switched,
                }
            )
        return found

    async def switch(self, job_id: str) -> AnyReplay:
        """Serve what the replay has written; readers see it when this returns.

        Raises `NotFound`, or `Conflict` with the reason, and then nothing has changed.
        """
        return await self._told(job_id, "switch")

    async def switch_back(self, job_id: str) -> AnyReplay:
        """Serve again what was served before. Raises as `switch` does."""
        return await self._told(job_id, "switch-back")

    async def close(self, job_id: str) -> AnyReplay:
        """Give up what is not served, for good. Raises as `switch` does."""
        return await self._told(job_id, "close")

    async def _told(self, job_id: str, what: str) -> AnyReplay:
        return _replay(await self._http.post(f"/replays/{path_part(job_id)}/{what}", {}))


def _replay(answer: Any) -> AnyReplay:
    kind = CandleReplay if answer["kind"] == "candles" else Replay
    return kind.model_validate(answer)
