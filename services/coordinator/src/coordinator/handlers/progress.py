"""What is said about chunks becomes states of chunks, tasks and jobs, a batch at a time; and what
is said about files is noted."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Final, TypeGuard

from candlelog.clock import Clock
from candlelog.events.codec import Message
from candlelog.events.progress import (
    BatchStoredV1,
    ChunkDeferredV1,
    ChunkFailedV1,
    ChunkFetchedV1,
    FeaturesStoredV1,
    FileReadV1,
)
from candlelog.log.outcome import Done, Outcome, Skip
from candlelog.log.types import Received
from candlelog.market.states import Status
from candlelog.stores.transactions import Transaction, Transactions
from coordinator.adapters import chunk_rows, feature_rows, file_rows, job_rows, task_rows
from coordinator.adapters.task_rows import TaskKey
from coordinator.domain.delays import LEASES, retry_delay
from coordinator.domain.folding import (
    NOTHING,
    Change,
    Chunk,
    ChunkEvent,
    ChunkKey,
    change,
    fold,
    key_of,
)
from coordinator.domain.routes import Route
from coordinator.handlers import ending

_DONE: Final = Done()
_NOT_OURS: Final = Skip("says nothing new to the coordinator")


class ChunkProgress:
    """Handles records of `progress`; most of those it does not fold are its own words."""

    def __init__(
        self,
        transactions: Transactions,
        *,
        releasable: asyncio.Event,
        clock: Clock,
        random: Random,
    ) -> None:
        self._transactions = transactions
        self._releasable = releasable
        self._clock = clock
        self._random = random

    async def __call__(self, received: Sequence[Received]) -> Sequence[Outcome]:
        """One outcome for each event. Raises `Unavailable`, and then nothing was done."""
        relevant = [one for one in received if _is_ours(one.event)]
        if relevant:
            async with self._transactions.begin() as transaction:
                fresh = await transaction.fresh(relevant)
                new = [one.event for one, is_new in zip(relevant, fresh, strict=True) if is_new]
                await self._apply(transaction, [event for event in new if _is_about_a_chunk(event)])
                files = [event for event in new if isinstance(event, FileReadV1)]
                if files:
                    await file_rows.note(transaction.connection, files)
            self._releasable.set()
        return [_DONE if _is_ours(one.event) else _NOT_OURS for one in received]

    async def _apply(self, transaction: Transaction, events: Sequence[ChunkEvent]) -> None:
        connection = transaction.connection
        jobs = await job_rows.lock(connection, {event.job_id for event in events})
        before = await chunk_rows.read(connection, {key_of(event) for event in events})
        now = self._clock.now()
        after, changes = self._folded(before, events, now)
        await _write_chunks(transaction, before, after)
        if changes:
            ended = await ending.count(transaction, changes, now)
            await ending.end_jobs(transaction, [jobs[job_id] for job_id in ended], now)
        for job_id in {key.job_id for key, chunk in after.items() if chunk is not before[key]}:
            if jobs[job_id].status is Status.DELETED:
                await task_rows.forget_job(connection, job_id)

    def _folded(
        self, before: Mapping[ChunkKey, Chunk], events: Iterable[ChunkEvent], now: datetime
    ) -> tuple[dict[ChunkKey, Chunk], dict[TaskKey, Change]]:
        """The chunks after the events, and what to add to the counts of which task."""
        folded = dict(before)
        changes: defaultdict[TaskKey, Change] = defaultdict(Change)
        for event in events:
            chunk = folded.get(key_of(event))
            if chunk is None:
                continue
            retry_at = now + retry_delay(chunk.attempt, self._random.random())
            folded[chunk.key] = after = fold(
                chunk, event, retry_at=retry_at, features_by=now + LEASES[Route.FEATURES]
            )
            changes[TaskKey(event.job_id, event.task_id)] += change(chunk, after, event)
        return folded, {task: each for task, each in changes.items() if each != NOTHING}


def _is_ours(event: Message) -> bool:
    return _is_about_a_chunk(event) or isinstance(event, FileReadV1)


def _is_about_a_chunk(event: Message) -> TypeGuard[ChunkEvent]:
    return isinstance(
        event,
        BatchStoredV1 | ChunkDeferredV1 | ChunkFailedV1 | ChunkFetchedV1 | FeaturesStoredV1,
    )


async def _write_chunks(
    transaction: Transaction, before: Mapping[ChunkKey, Chunk], after: Mapping[ChunkKey, Chunk]
) -> None:
    """Keep what the chunks have become; with its last feature chunk a series has its features."""
    connection = transaction.connection
    changed = [chunk for key, chunk in after.items() if chunk is not before[key]]
    through = [chunk for chunk in changed if chunk.through]
    still_open = [chunk for chunk in changed if not chunk.through]
    computed = {chunk.key.task_id for chunk in through if chunk.route is Route.FEATURES}
    if still_open:
        await chunk_rows.change(connection, still_open)
    if through:
        await chunk_rows.forget(connection, through)
    if computed:
        await feature_rows.complete(connection, computed)
