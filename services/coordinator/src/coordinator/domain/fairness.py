"""Who is next: deficit round-robin among jobs, round-robin among the tasks of a job."""

import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Claim:
    """A job with chunks to release; a higher `priority` (0 to 9) gets more of the credit."""

    job_id: UUID
    priority: int
    chunks: int


class DeficitRoundRobin:
    """Shares credit among jobs: in each turn a job may release `priority + 1` chunks.

    Turns go on where the last call stopped, so that credit that comes one by one is shared as
    fairly as credit that comes at once.
    """

    def __init__(self) -> None:
        self._ring: deque[UUID] = deque()
        self._deficits: dict[UUID, int] = {}

    def share(self, claims: Sequence[Claim], credit: int) -> Mapping[UUID, int]:
        """How many chunks each job may release now; jobs with none are left out."""
        wanted = {claim.job_id: claim.chunks for claim in claims}
        quanta = {claim.job_id: claim.priority + 1 for claim in claims}
        self._meet(list(wanted))
        shares: Counter[UUID] = Counter()
        while credit and self._ring:
            job_id = self._ring[0]
            deficit = self._deficits[job_id] or quanta[job_id]
            taken = min(deficit, wanted[job_id], credit)
            shares[job_id] += taken
            wanted[job_id] -= taken
            credit -= taken
            self._deficits[job_id] = deficit - taken
            if not wanted[job_id]:
                self._deficits.pop(self._ring.popleft())
            elif not self._deficits[job_id]:
                self._ring.rotate(-1)
        return shares

    def _meet(self, present: Sequence[UUID]) -> None:
        """Forget jobs that have nothing to release, let new ones join at the end."""
        known = set(present)
        self._ring = deque(job_id for job_id in self._ring if job_id in known)
        self._deficits = {job_id: self._deficits.get(job_id, 0) for job_id in present}
        standing = set(self._ring)
        self._ring.extend(job_id for job_id in present if job_id not in standing)


@dataclass(frozen=True, slots=True)
class Queue:
    """A task with chunks `[cursor, chunks_total)` to release, at its `position` in the job."""

    job_id: UUID
    task_id: UUID
    cursor: int
    chunks_total: int
    position: int


def take_turns(queues: Sequence[Queue], quota: int) -> Mapping[UUID, int]:
    """How many chunks each task of one job gives: whoever gave the fewest so far is next.

    That is round-robin without a memory: the cursors are the memory.
    """
    turns = [(queue.cursor, queue.position, index) for index, queue in enumerate(queues)]
    heapq.heapify(turns)
    taken: Counter[UUID] = Counter()
    while quota and turns:
        cursor, position, index = turns[0]
        queue = queues[index]
        taken[queue.task_id] += 1
        quota -= 1
        if cursor + 1 < queue.chunks_total:
            heapq.heapreplace(turns, (cursor + 1, position, index))
        else:
            heapq.heappop(turns)
    return taken
