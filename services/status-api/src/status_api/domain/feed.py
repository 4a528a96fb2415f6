"""What one live client has yet to be sent: the newest state of each changed job, merged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from status_api.domain.cursors import Positions, encode_positions

Rendered = Mapping[str, Any]
"""A job or task as JSON values."""


@dataclass(frozen=True, slots=True)
class Change:
    """A job as it is at a reading, and its tasks that changed, by id."""

    job: Rendered
    tasks: Mapping[UUID, Rendered]


@dataclass(slots=True)
class Pending:
    """Changes merged by job and task, so that a slow client costs what changed and no more.

    Beyond `most` entries nothing is kept: `overflowed` says that a snapshot must be sent instead.
    """

    positions: Positions
    most: int
    overflowed: bool = False
    _jobs: dict[UUID, Rendered] = field(default_factory=dict[UUID, Rendered])
    _tasks: dict[UUID, dict[UUID, Rendered]] = field(
        default_factory=dict[UUID, dict[UUID, Rendered]]
    )

    @property
    def anything(self) -> bool:
        """Whether there is something to send."""
        return self.overflowed or bool(self._jobs)

    def add(self, changes: Mapping[UUID, Change], positions: Positions) -> None:
        """Merge the changes of a reading, unless it is no newer than what the client has."""
        if not newer(positions, self.positions):
            return
        self.positions = positions
        for job_id, change in changes.items():
            self._jobs[job_id] = change.job
            self._tasks.setdefault(job_id, {}).update(change.tasks)
        if len(self._jobs) + sum(map(len, self._tasks.values())) > self.most:
            self.overflow()

    def settle(self, changes: Mapping[UUID, Change], positions: Positions) -> None:
        """The client has, or is about to get, everything up to `positions`, with these changes.

        What came in meanwhile stays when it is newer: merged changes are as of the newest of them.
        """
        jobs = {job_id: change.job for job_id, change in changes.items()}
        tasks = {job_id: dict(change.tasks) for job_id, change in changes.items()}
        if newer(self.positions, positions):
            jobs |= self._jobs
            for job_id, of_job in self._tasks.items():
                tasks[job_id] = tasks.get(job_id, {}) | of_job
        else:
            self.positions = positions
        self._jobs, self._tasks = jobs, tasks

    def overflow(self) -> None:
        """Drop everything: a snapshot must be sent."""
        self.overflowed = True
        self._jobs.clear()
        self._tasks.clear()

    def take(self) -> bytes:
        """The delta to send now; nothing is pending afterwards."""
        jobs = [
            {**job, "tasks": list(self._tasks[job_id].values())}
            for job_id, job in self._jobs.items()
        ]
        self._jobs.clear()
        self._tasks.clear()
        return message("delta", self.positions, jobs)


def message(kind: str, positions: Positions, jobs: list[dict[str, Any]]) -> bytes:
    """A message of the live feed, as JSON."""
    return orjson.dumps({"type": kind, "cursor": encode_positions(positions), "jobs": jobs})


def newer(positions: Positions, than: Positions) -> bool:
    """Whether the one reading saw something that the other did not."""
    return any(
        position > than.get(topic, {}).get(number, 0)
        for topic, of in positions.items()
        for number, position in of.items()
    )
