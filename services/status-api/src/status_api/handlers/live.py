"""The live feed of this replica: one reading of the projection serves every connected client.

The projection itself is the buffer. A change is found by its log offset, so a client that comes
back with a cursor of any age gets exactly what changed since, on whichever replica.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from candlelog.clock import Clock
from candlelog.errors import Unavailable
from candlelog.telemetry import LIVE_CLIENTS
from status_api.adapters.changes import ChangeReader, Reading
from status_api.domain.cursors import Positions
from status_api.domain.feed import Change, Pending, message
from status_api.domain.figures import job_view, task_view
from status_api.domain.problems import Problem
from status_api.handlers.landings import Landings

_LOOK_SECONDS: Final = 0.1
"""Other replicas fold too, and do not tell this one."""
_PACE_SECONDS: Final = 0.05
"""Between two readings, however much changes."""
_MOST_PENDING: Final = 2_000
_FIXED: Final = frozenset({"symbols", "timeframes"})
"""What never changes is left out of deltas."""


@dataclass(eq=False, slots=True)
class Client:
    """A connected client: what it watches (None is all jobs), and what it has yet to be sent."""

    ids: frozenset[UUID] | None
    pending: Pending
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Feed:
    """Reads what changed while anybody watches, and hands it to every client."""

    def __init__(
        self, reader: ChangeReader, landings: Landings, clock: Clock, *, most_clients: int
    ) -> None:
        self._reader = reader
        self._landings = landings
        self._clock = clock
        self._most_clients = most_clients
        self._clients: set[Client] = set()
        self._positions: Positions | None = None
        self._joined = asyncio.Event()
        self._between_readings = asyncio.Lock()
        self._closed = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve the clients until `stopping`, then end their streams."""
        ended = asyncio.create_task(stopping.wait())
        reading = asyncio.create_task(self._read_for_ever())
        try:
            await asyncio.wait({ended, reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._closed = True
            for client in self._clients:
                client.wake.set()
            ended.cancel()
            reading.cancel()
        if reading.done() and not reading.cancelled():
            reading.result()

    async def messages(
        self, ids: frozenset[UUID] | None, since: Positions | None
    ) -> AsyncGenerator[bytes]:
        """A snapshot, or what changed since a cursor, and then deltas until the process stops.

        Raises a problem when this replica serves as many clients as it may.
        """
        async with self._connected(ids) as client:
            yield await self._first(client, since)
            while not self._closed:
                await client.wake.wait()
                client.wake.clear()
                message = await self._next(client)
                if message is not None:
                    yield message

    @asynccontextmanager
    async def _connected(self, ids: frozenset[UUID] | None) -> AsyncGenerator[Client]:
        """Register first, between two readings: every later one then looks for this client too."""
        client = Client(ids, Pending({}, _MOST_PENDING))
        try:
            async with self._between_readings:
                if len(self._clients) >= self._most_clients:
                    raise Problem(503, "too_many_streams", "this replica serves all it may")
                self._clients.add(client)
                LIVE_CLIENTS.set(len(self._clients))
                self._joined.set()
                if self._positions is None:
                    self._positions = await self._reader.positions()
            yield client
        finally:
            self._clients.discard(client)
            LIVE_CLIENTS.set(len(self._clients))

    async def _first(self, client: Client, since: Positions | None) -> bytes:
        if since is None:
            return await self._snapshot(client)
        reading = await self._reader.since(since, client.ids, client.ids or ())
        if not reading.complete:
            return await self._snapshot(client)
        client.pending.settle(self._rendered(reading), reading.positions)
        return client.pending.take()

    async def _next(self, client: Client) -> bytes | None:
        """What the client is to be sent now, if anything."""
        if not client.pending.overflowed:
            return client.pending.take() if client.pending.anything else None
        try:
            return await self._snapshot(client)
        except Unavailable:  # the next reading that works wakes the client again
            client.pending.overflow()
            return None

    async def _snapshot(self, client: Client) -> bytes:
        client.pending.overflowed = False
        reading = await self._reader.snapshot(client.ids)
        client.pending.settle({}, reading.positions)
        now = self._clock.now()
        jobs = [
            job_view(
                job.submission, job.progress, now, missing=job.missing, tasks=job.tasks
            ).model_dump(mode="json")
            for job in reading.jobs
        ]
        return message("snapshot", reading.positions, jobs)

    async def _read_for_ever(self) -> None:
        while True:
            if not self._clients:
                self._positions = None
                self._joined.clear()
                await self._joined.wait()
            await self._landings.changed(_LOOK_SECONDS)
            try:
                async with self._between_readings:
                    await self._read()
            except Unavailable:  # the projector reports the outage; nothing is lost meanwhile
                await asyncio.sleep(_LOOK_SECONDS)
            await asyncio.sleep(_PACE_SECONDS)

    async def _read(self) -> None:
        seen = self._positions
        if seen is None:
            return
        ids, tasks_of = self._wanted()
        reading = await self._reader.since(seen, ids, tasks_of)
        self._positions = reading.positions
        changes = self._rendered(reading)
        for client in self._clients:
            if not reading.complete:
                client.pending.overflow()
            else:
                client.pending.add(_of(client, changes), reading.positions)
            if client.pending.anything:
                client.wake.set()

    def _wanted(self) -> tuple[Collection[UUID] | None, Collection[UUID]]:
        """The jobs to read, None for all, and those whose tasks somebody watches."""
        named = {job_id for client in self._clients for job_id in client.ids or ()}
        everything = any(client.ids is None for client in self._clients)
        return (None if everything else named), named

    def _rendered(self, reading: Reading) -> Mapping[UUID, Change]:
        now = self._clock.now()
        return {
            job.submission.job_id: Change(
                job_view(job.submission, job.progress, now, missing=job.missing).model_dump(
                    mode="json", exclude={*_FIXED, "tasks"}
                ),
                {task.task_id: task_view(task, now).model_dump(mode="json") for task in job.tasks},
            )
            for job in reading.jobs
        }


def _of(client: Client, changes: Mapping[UUID, Change]) -> Mapping[UUID, Change]:
    """The client's part of the changes; who watches all jobs gets no tasks."""
    if client.ids is None:
        return {job_id: Change(change.job, {}) for job_id, change in changes.items()}
    return {job_id: change for job_id, change in changes.items() if job_id in client.ids}
