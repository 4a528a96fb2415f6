"""Rows of submissions: commands whose jobs are still to be planned."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from candlelog.events.codec import decode, encode
from candlelog.events.jobs import FillGapsV1, ReplayFeaturesV1, SubmitJobV1
from candlelog.stores.postgres import Connection
from coordinator.adapters import statements
from coordinator.domain.submission import NewJobCommand


async def insert(connection: Connection, command: NewJobCommand) -> None:
    """Keep the command of a job whose row has just been written."""
    await connection.execute(
        statements.INSERT_SUBMISSION, command.job_id, command.ce_type, encode(command)
    )


async def oldest(connection: Connection, *, but: Iterable[UUID]) -> NewJobCommand | None:
    """The command of the oldest job to be planned, but for some; one that is paused waits."""
    return _command(await connection.fetchrow(statements.OLDEST_SUBMISSION, list(but)))


async def of_job(connection: Connection, job_id: UUID) -> NewJobCommand | None:
    """The command of a job that is still to be planned."""
    return _command(await connection.fetchrow(statements.SUBMISSION_OF_JOB, job_id))


async def forget(connection: Connection, job_id: UUID) -> bool:
    """The job is planned, or will never be; False where that was known."""
    return await connection.fetchval(statements.FORGET_SUBMISSION, job_id) is not None


def _command(row: Mapping[str, Any] | None) -> NewJobCommand | None:
    if row is None:
        return None
    command = decode(row["type"], row["command"])
    assert isinstance(command, SubmitJobV1 | FillGapsV1 | ReplayFeaturesV1)
    return command
