"""A projection that was folded before there were features goes on as a new one would stand."""

import shutil
from pathlib import Path
from uuid import UUID

import pytest

from candlelog.stores.migrations import migrate_postgres, migrations_directory
from candlelog.stores.postgres import Pool, connect

pytestmark = pytest.mark.connected

MIGRATIONS = migrations_directory("status-api")
JOB, TASK = UUID(int=1), UUID(int=2)
FIGURES = (
    "version, state, chunks_total, chunks_fetched, chunks_done, chunks_failed, slots_expected, "
    "slots_covered, slots_explained, candles_fetched, candles_stored, quarantined, attempts"
)
VALUES = "1, 'running', 9, 5, 3, 1, 0, 0, 0, 0, 0, 0, 1"


async def fill(pool: Pool) -> None:
    """A job of which three chunks are stored and one has failed."""
    await pool.execute(
        f"INSERT INTO jobs (job_id, progress_partition, progress_offset, tasks_total, tasks_done, "
        f"tasks_failed, {FIGURES}) VALUES ($1, 0, 0, 1, 0, 0, {VALUES})",
        JOB,
    )
    await pool.execute(
        f"INSERT INTO tasks (task_id, job_id, progress_offset, {FIGURES}) "
        f"VALUES ($1, $2, 0, {VALUES})",
        TASK,
        JOB,
    )
    for number, state in enumerate(("stored", "stored", "stored", "failed", "fetched")):
        await pool.execute(
            "INSERT INTO chunks VALUES ($1, $2, $3, $4, 0, 1, true, $5)",
            UUID(int=10 + number), JOB, TASK, state, int(state == "stored"),
        )  # fmt: skip


async def test_what_was_stored_before_is_counted_as_stored_and_awaits_no_features(
    postgres_dsn: str, tmp_path: Path
):
    shutil.copy(MIGRATIONS / "0001_projection.sql", tmp_path)
    async with connect(postgres_dsn, schema="status", max_size=2) as pool:
        await migrate_postgres(pool, "status", tmp_path)
        await fill(pool)
        await migrate_postgres(pool, "status", MIGRATIONS)
        for table in ("jobs", "tasks"):
            counted = await pool.fetchrow(
                "SELECT chunks_done, chunks_stored, chunks_featurized, feature_chunks, "
                f"features_stored FROM {table}"
            )
            assert tuple(counted) == (3, 3, 0, 0, 0)
        chunks = await pool.fetch("SELECT state, stored, featurized, route FROM chunks ORDER BY 1")
    assert {tuple(row) for row in chunks} == {
        ("stored", True, False, "rest"),
        ("failed", False, False, "rest"),
        ("fetched", False, False, "rest"),
    }
