"""Jobs: submit, read, follow, steer."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Required, TypedDict, Unpack
from uuid import uuid4

from candlelog.errors import Invalid
from candlelog_client.http import Http, path_part
from candlelog_client.paging import items
from candlelog_client.results import ActionResult, Job, Plan, Task
from candlelog_client.streams import Feed
from candlelog_client.times import as_text
from candlelog_client.watching import Reconnect, Watch

_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")


class JobRequest(TypedDict, total=False):
    """The body of `POST /jobs`; what is left out gets the server's default: of `features` True,
    of `feature_sets` the set `default`.

    Give `start` or `lookback` (a text such as "30d"), not both; `end` defaults to now; ranges
    are half-open. Times without an offset are UTC.
    """

    exchange: Required[str]
    symbols: Required[Sequence[str]]
    timeframes: Required[Sequence[str]]
    start: datetime | str
    end: datetime | str
    lookback: str
    source: Literal["auto", "rest", "archive"]
    features: bool
    feature_sets: Sequence[str]
    incremental: bool
    priority: int
    max_attempts: int
    label: str


PartialAction = Literal["cancel", "pause", "resume", "retry"]
Action = Literal[PartialAction, "delete"]


class Which(TypedDict, total=False):
    """Which tasks of a job: those of these symbols and those with these ids; without any, all."""

    symbols: Sequence[str]
    tasks: Sequence[str]


class Jobs:
    """The jobs of a server."""

    def __init__(self, http: Http, feed: Feed, reconnect: Reconnect | None = None) -> None:
        self._http = http
        self._feed = feed
        self._reconnect = reconnect or Reconnect()

    async def submit(
        self, *, idempotency_key: str | None = None, **request: Unpack[JobRequest]
    ) -> Job:
        """Ask for candles; returns as soon as the server has the job.

        The key (a fresh one unless given) makes a repeated submission the same job. Raises
        `Refused` with the reason when the request breaks a rule, `Conflict` when the key was
        used for another request, `Invalid` for a key that cannot be sent.
        """
        key = str(uuid4()) if idempotency_key is None else idempotency_key
        if _KEY.fullmatch(key) is None:
            raise Invalid("an idempotency key is 1 to 200 printable ASCII characters")
        answer = await self._http.post("/jobs", _body(request), idempotency_key=key)
        return Job.model_validate(answer)

    async def plan(self, **request: Unpack[JobRequest]) -> Plan:
        """What a job with this request would do; nothing is kept. Raises `Refused`."""
        return Plan.model_validate(await self._http.post("/jobs/plan", _body(request)))

    async def get(self, job_id: str) -> Job:
        """The job as it stands. Raises `NotFound`."""
        return Job.model_validate(await self._http.get(f"/jobs/{path_part(job_id)}"))

    def list(
        self,
        *,
        status: str | None = None,
        symbol: str | None = None,
        since: datetime | str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Job]:
        """Jobs, newest first, at most `limit` of them."""
        wanted = {"status": status, "symbol": symbol, "since": as_text(since)}
        return items(self._http, "/jobs", Job, wanted, limit=limit)

    def tasks(self, job_id: str, *, limit: int | None = None) -> AsyncIterator[Task]:
        """Every task of a job, at most `limit` of them. Raises `NotFound`."""
        return items(self._http, f"/jobs/{path_part(job_id)}/tasks", Task, {}, limit=limit)

    async def cancel(self, job_id: str, **which: Unpack[Which]) -> Job:
        """Stop what is not over. Raises `NotFound`, or `Conflict` when it has already ended."""
        return await self.steer("cancel", job_id, **which)

    async def pause(self, job_id: str, **which: Unpack[Which]) -> Job:
        """Start no request until it is resumed. Raises `NotFound`, or `Conflict` when it ended."""
        return await self.steer("pause", job_id, **which)

    async def resume(self, job_id: str, **which: Unpack[Which]) -> Job:
        """Go on with what was paused. Raises `NotFound`, or `Conflict` when nothing is."""
        return await self.steer("resume", job_id, **which)

    async def retry(self, job_id: str, **which: Unpack[Which]) -> Job:
        """Ask again for what failed, and go on with what was cancelled.

        Raises `NotFound`, or `Conflict` when there is no such thing.
        """
        return await self.steer("retry", job_id, **which)

    async def delete(self, job_id: str) -> Job:
        """Forget a job that is over, and return it as it was; what it stored stays.

        Raises `NotFound`, or `Conflict` when it is not over, or is a replay.
        """
        return Job.model_validate(await self._http.delete(f"/jobs/{path_part(job_id)}"))

    async def steer(self, action: PartialAction, job_id: str, **which: Unpack[Which]) -> Job:
        """Any of the four that can be about some tasks alone, by its name."""
        names = {"symbols": which.get("symbols", ()), "tasks": which.get("tasks", ())}
        body = {name: list(given) for name, given in names.items() if given}
        answer = await self._http.post(f"/jobs/{path_part(job_id)}/{action}", body)
        return Job.model_validate(answer)

    async def act(self, action: Action, job_ids: Sequence[str]) -> tuple[ActionResult, ...]:
        """Do the same to 1 to 100 jobs; each is decided by itself, and a refusal raises nothing.

        Raises `Refused` for another number, and `Unreachable`.
        """
        answer = await self._http.post("/jobs/actions", {"action": action, "jobs": list(job_ids)})
        return tuple(ActionResult.model_validate(each) for each in answer["results"])

    def watch(self, job_id: str) -> AsyncIterator[Job]:
        """The job as it is now and at every change, until it has ended.

        Survives lost connections without missing the end. Raises `NotFound`, and `Unreachable`
        when the server stays away.
        """
        return Watch(self._feed, job_id, self._reconnect).states(self.get)


def _body(request: JobRequest) -> dict[str, Any]:
    body: dict[str, Any] = {**request}
    for name in ("symbols", "timeframes", "feature_sets"):
        if name in body:
            body[name] = list(body[name])
    for name in ("start", "end"):
        if name in body:
            body[name] = as_text(body[name])
    return body
