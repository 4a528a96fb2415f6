"""Rows of chunks that were released and of which something is awaited."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.adapters.feature_rows import set_names, sets_named
from coordinator.adapters.file_rows import columns_of, file_in
from coordinator.domain.folding import Chunk, ChunkKey, ChunkState
from coordinator.domain.releasing import Due, Released
from coordinator.domain.routes import Route


@dataclass(frozen=True, slots=True)
class InFlight:
    """Chunks of an exchange that are on one route, and the jobs with due ones."""

    chunks: int
    jobs_due: tuple[UUID, ...]


async def lock_exchange(connection: Connection, exchange: str) -> None:
    """Be the only one that releases chunks of this exchange until the transaction ends."""
    await connection.execute(statements.LOCK_EXCHANGE, exchange)


async def in_flight(connection: Connection, exchange: str, route: Route, now: datetime) -> InFlight:
    """What is on its way, for an exchange."""
    row = await connection.fetchrow(statements.IN_FLIGHT, exchange, route, now)
    assert row is not None
    return InFlight(row["chunks"], tuple(row["jobs_due"]))


async def due(
    connection: Connection,
    exchange: str,
    route: Route,
    *,
    job_ids: Iterable[UUID],
    now: datetime,
) -> list[Due]:
    """Chunks of these jobs on the route whose lease or wait is over, in order of time."""
    rows = await connection.fetch(statements.DUE_CHUNKS, exchange, route, now, list(job_ids))
    return [_due(row) for row in rows]


async def ready(connection: Connection, shares: Mapping[UUID, int], route: Route) -> list[Due]:
    """Chunks that go on, of each job at most its share, in order of time."""
    rows = await connection.fetch(
        statements.READY_CHUNKS, list(shares), list(shares.values()), route
    )
    return [_due(row) for row in rows]


async def insert(
    connection: Connection, chunks: Sequence[Released], exchanges: Mapping[UUID, str]
) -> None:
    """Write chunks that are released for the first time; `exchanges` by job."""
    await connection.copy_records_to_table(
        "chunks",
        columns=(
            "task_id", "chunk_id", "job_id", "exchange", "route", "feature_sets", "build", "state",
            "generation", "release", "last_release", "attempt", "lapses", "due_at", "start_time",
            "end_time", "slots", "awaits_candles", "awaits_features", "file_path", "file_version",
        ),
        records=[
            (
                chunk.task_id, chunk.chunk_id, chunk.job_id, exchanges[chunk.job_id], chunk.route,
                set_names(chunk.feature_sets), chunk.build, ChunkState.RELEASED,
                chunk.generation, chunk.release, chunk.release, chunk.attempt, chunk.lapses,
                chunk.due_at, chunk.start, chunk.end, chunk.slots,
                chunk.route is not Route.FEATURES, bool(chunk.feature_sets),
                *columns_of(chunk.file),
            )
            for chunk in chunks
        ],
    )  # fmt: skip


async def release_again(connection: Connection, chunks: Sequence[Released]) -> None:
    """Write a further release of chunks."""
    await connection.execute(
        statements.RELEASE_AGAIN,
        [chunk.task_id for chunk in chunks],
        [chunk.chunk_id for chunk in chunks],
        [chunk.generation for chunk in chunks],
        [chunk.release for chunk in chunks],
        [chunk.lapses for chunk in chunks],
        [chunk.due_at for chunk in chunks],
    )


async def read(connection: Connection, keys: Collection[ChunkKey]) -> dict[ChunkKey, Chunk]:
    """Those of the chunks that are open. The caller holds the locks of their jobs."""
    rows = await connection.fetch(
        statements.READ_CHUNKS,
        [key.job_id for key in keys],
        [key.task_id for key in keys],
        [key.chunk_id for key in keys],
    )
    chunks = (
        Chunk(
            key=ChunkKey(row["job_id"], row["task_id"], row["chunk_id"]),
            route=Route(row["route"]),
            state=ChunkState(row["state"]),
            generation=row["generation"],
            release=row["release"],
            attempt=row["attempt"],
            due_at=row["due_at"],
            awaits_candles=row["awaits_candles"],
            awaits_features=row["awaits_features"],
            parts=row["parts"],
        )
        for row in rows
    )
    return {chunk.key: chunk for chunk in chunks}


async def change(connection: Connection, chunks: Sequence[Chunk]) -> None:
    """Write what chunks have become."""
    await connection.execute(
        statements.CHANGE_CHUNKS,
        [chunk.key.task_id for chunk in chunks],
        [chunk.key.chunk_id for chunk in chunks],
        [chunk.state for chunk in chunks],
        [chunk.generation for chunk in chunks],
        [chunk.release for chunk in chunks],
        [chunk.attempt for chunk in chunks],
        [chunk.due_at for chunk in chunks],
        [chunk.awaits_candles for chunk in chunks],
        [chunk.awaits_features for chunk in chunks],
        [chunk.parts for chunk in chunks],
    )


async def forget(connection: Connection, chunks: Sequence[Chunk]) -> None:
    """Drop chunks that are through."""
    await connection.execute(
        statements.FORGET_CHUNKS,
        [chunk.key.task_id for chunk in chunks],
        [chunk.key.chunk_id for chunk in chunks],
    )


async def hold(connection: Connection, task_ids: Collection[UUID]) -> None:
    """Nobody is asked for these chunks any more; what is on its way may still arrive."""
    await connection.execute(statements.HOLD_CHUNKS, task_ids)


async def go_on(connection: Connection, task_ids: Collection[UUID], *, generation: int) -> None:
    """Chunks that are held, or were given up, are ready; those given up with all attempts."""
    await connection.execute(statements.GO_ON_WITH_CHUNKS, task_ids, generation)


async def renew_leases(connection: Connection, until: datetime) -> None:
    """No lease ends before `until`."""
    await connection.execute(statements.RENEW_LEASES, until)


def _due(row: Mapping[str, Any]) -> Due:
    return Due(
        ChunkState(row["state"]),
        row["awaits_candles"],
        Released(
            job_id=row["job_id"],
            task_id=row["task_id"],
            chunk_id=row["chunk_id"],
            symbol=row["symbol"],
            timeframe=row["timeframe"],
            route=Route(row["route"]),
            feature_sets=sets_named(row["feature_sets"]),
            build=row["build"],
            start=row["start_time"],
            end=row["end_time"],
            slots=row["slots"],
            generation=row["generation"],
            release=row["last_release"],
            attempt=row["attempt"],
            lapses=row["lapses"],
            due_at=row["due_at"],
            file=file_in(row),
        ),
    )
